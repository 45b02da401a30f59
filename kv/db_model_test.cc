// Random operations on a Db against a std::map: puts, deletions, batches, snapshots, iterators both
// ways with bounds, checkpoints, reopens. Ends in Verify, and an OrderMonitor looks on. Built
// twice: with 50,000 operations, and as db_model_soak_test with more.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/order_monitor.h"
#include "storage/fault_env.h"

#ifndef EMDB_MODEL_OPERATIONS
#define EMDB_MODEL_OPERATIONS 50000
#endif

namespace emdb {
namespace {

constexpr char kPath[] = "dir/model.emdb";
constexpr int kRounds = 4;
constexpr int kOperationsPerRound = EMDB_MODEL_OPERATIONS / kRounds;

using State = std::map<std::string, std::string>;

class Model {
 public:
  Model(uint32_t seed, bool in_memory) : random_(seed), in_memory_(in_memory) {
    options_.env = monitor_.env();
    // Small, so that memtables are frozen, segments sealed and pages evicted all the time.
    options_.memtable_size = 64 << 10;
    options_.cache_size = 1 << 20;
    options_.wal_segment_size = 64 << 10;
    if (seed % 3 == 1) options_.flush_policy = FlushPolicy::Manual();
    if (seed % 2 == 1) options_.wal_io_mode = IoMode::kDirect;
    Open();
  }

  void Run(int operations) {
    for (int i = 0; i < operations; ++i) {
      ASSERT_NO_FATAL_FAILURE(Step()) << "operation " << i;
    }
    snapshots_.clear();
    ASSERT_NO_FATAL_FAILURE(CheckAll());
    ASSERT_NO_FATAL_FAILURE(Expect(db_->Verify()));
    // The count is exact once nothing waits in slices.
    ASSERT_NO_FATAL_FAILURE(Expect(db_->Compact()));
    ASSERT_NO_FATAL_FAILURE(Expect(db_->Verify()));
    EXPECT_EQ(db_->GetStats().page_store.records, state_.size());
  }

  const OrderMonitor& monitor() const { return monitor_; }

 private:
  struct Held {
    Snapshot snapshot;
    OrderMonitor::Pages pages;  // goes first: without the snapshot they may be written to
    State state;
  };

  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

  void Expect(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

  void Open() {
    auto db = in_memory_ ? Db::OpenInMemory(options_) : Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  std::string Key() {
    const uint32_t n = Below(2000);
    switch (Below(4)) {
      case 0:
        return std::to_string(n);
      case 1:
        return "a common prefix of some length/" + std::to_string(n);
      case 2:
        return std::string(1 + n % 30, static_cast<char>(n % 5 * 63));
      default:
        return std::string(1, static_cast<char>(n)) + std::string(n % 3, '\0');
    }
  }

  std::string Value() {
    const uint32_t shape = Below(100);
    const size_t size = shape == 0 ? Below(40000) : shape < 10 ? Below(2000) : Below(60);
    return std::string(size, static_cast<char>('a' + Below(26)));
  }

  void Step() {
    const uint32_t what = Below(1000);
    if (what < 350) return Put();
    if (what < 500) return Delete();
    if (what < 560) return Batch();
    if (what < 800) return Get();
    if (what < 850) return MultiGet();
    if (what < 950) return Iterate();
    if (what < 975) return TakeSnapshot();
    if (what < 990) return DropSnapshot();
    if (what < 996) return Expect(db_->Checkpoint());
    if (what < 998) return Expect(db_->Flush());
    if (what == 998) return Expect(db_->Compact());
    return Reopen();
  }

  void Put() {
    const std::string key = Key();
    const std::string value = Value();
    Expect(db_->Put(key, value, {.sync = Below(20) == 0}));
    state_[key] = value;
  }

  void Delete() {
    const std::string key = Key();
    Expect(db_->Delete(key, {.sync = Below(20) == 0}));
    state_.erase(key);
  }

  void Batch() {
    WriteBatch batch;
    State next = state_;
    for (uint32_t i = Below(20); i > 0; --i) {
      const std::string key = Key();
      if (Below(3) == 0) {
        batch.Delete(key);
        next.erase(key);
      } else {
        const std::string value = Value();
        batch.Put(key, value);
        next[key] = value;
      }
    }
    Expect(db_->Write(batch, {.sync = Below(5) == 0}));
    state_ = std::move(next);
  }

  // A snapshot and its state, or the newest.
  std::pair<ReadOptions, const State*> Choose() {
    if (snapshots_.empty() || Below(2) == 0) return {ReadOptions(), &state_};
    const Held& held = *snapshots_[Below(static_cast<uint32_t>(snapshots_.size()))];
    return {ReadOptions{.snapshot = &held.snapshot}, &held.state};
  }

  void Get() {
    const auto [options, state] = Choose();
    const std::string key = Key();
    std::string value;
    const absl::Status status = db_->Get(key, &value, options);
    const auto expected = state->find(key);
    ASSERT_EQ(status.ok(), expected != state->end()) << status;
    ASSERT_EQ(absl::IsNotFound(status), expected == state->end()) << status;
    if (status.ok()) {
      ASSERT_EQ(value, expected->second);
    }
  }

  void MultiGet() {
    const auto [options, state] = Choose();
    std::vector<std::string> keys(Below(40));
    for (std::string& key : keys) key = Key();
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::string> values;
    const std::vector<absl::Status> statuses = db_->MultiGet(views, &values, options);
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto expected = state->find(keys[i]);
      ASSERT_EQ(statuses[i].ok(), expected != state->end()) << statuses[i];
      if (statuses[i].ok()) {
        ASSERT_EQ(values[i], expected->second);
      }
    }
  }

  void Iterate() {
    auto [options, state] = Choose();
    const std::string lower = Below(2) == 0 ? Key() : "";
    const std::string upper = Below(2) == 0 ? Key() : "";
    options.lower_bound = lower;
    options.upper_bound = upper;
    const auto begin = state->lower_bound(lower);
    auto end = upper.empty() ? state->end() : state->lower_bound(upper);
    if (!upper.empty() && upper < lower) end = begin;
    std::unique_ptr<Iterator> it = db_->NewIterator(options);
    // Position `at` in [begin, end), or none.
    std::optional<State::const_iterator> at;
    const auto before = [&](State::const_iterator i) {
      at = i == begin ? std::nullopt : std::optional(std::prev(i));
    };
    const auto at_or_none = [&](State::const_iterator i) {
      at = i == end ? std::nullopt : std::optional(i);
    };
    for (uint32_t i = 5 + Below(60); i > 0; --i) {
      const std::string target = Key();
      const uint32_t move = at.has_value() ? Below(12) : Below(4);
      if (move == 0) {
        it->SeekToFirst();
        at_or_none(begin);
      } else if (move == 1) {
        it->SeekToLast();
        before(end);
      } else if (move == 2) {
        it->Seek(target);
        at_or_none(target < lower                      ? begin
                   : !upper.empty() && target >= upper ? end
                                                       : state->lower_bound(target));
      } else if (move == 3) {
        it->SeekForPrev(target);
        before(target < lower                      ? begin
               : !upper.empty() && target >= upper ? end
                                                   : state->upper_bound(target));
      } else if (move < 8) {
        it->Next();
        at_or_none(std::next(*at));
      } else {
        it->Prev();
        before(*at);
      }
      ASSERT_TRUE(it->status().ok()) << it->status();
      ASSERT_EQ(it->Valid(), at.has_value());
      if (!at.has_value()) continue;
      ASSERT_EQ(it->key(), (*at)->first);
      ASSERT_EQ(it->value(), (*at)->second);
    }
  }

  void TakeSnapshot() {
    if (snapshots_.size() >= 5) return DropSnapshot();
    auto held = std::make_unique<Held>();
    // In this order: a checkpoint may become durable in between. A snapshot keeps what any later
    // generation reaches, but not what only an earlier one does.
    held->snapshot = db_->GetSnapshot();
    held->pages = monitor_.PinDurable();
    held->state = state_;
    snapshots_.push_back(std::move(held));
  }

  void DropSnapshot() {
    if (snapshots_.empty()) return;
    snapshots_.erase(snapshots_.begin() + Below(static_cast<uint32_t>(snapshots_.size())));
  }

  void Reopen() {
    if (in_memory_) return;
    snapshots_.clear();
    if (Below(2) == 0) {
      Expect(db_->Close());
    }
    db_.reset();
    ASSERT_NO_FATAL_FAILURE(Open());
    CheckAll();
  }

  void CheckAll() {
    std::unique_ptr<Iterator> it = db_->NewIterator();
    it->SeekToFirst();
    for (const auto& [key, value] : state_) {
      ASSERT_TRUE(it->Valid()) << it->status();
      ASSERT_EQ(it->key(), key);
      ASSERT_EQ(it->value(), value);
      it->Next();
    }
    ASSERT_FALSE(it->Valid());
    ASSERT_TRUE(it->status().ok()) << it->status();
  }

  std::mt19937 random_;
  const bool in_memory_;
  FaultEnv env_;
  OrderMonitor monitor_{&env_, kPath};
  Options options_;
  std::unique_ptr<Db> db_;
  State state_;
  std::vector<std::unique_ptr<Held>> snapshots_;
};

class DbModelTest : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Round, DbModelTest, testing::Range(0, kRounds));

TEST_P(DbModelTest, AgreesWithAMap) {
  // Another seed: EMDB_SEED=n.
  const char* const given = std::getenv("EMDB_SEED");
  const uint32_t seed =
      (given != nullptr ? static_cast<uint32_t>(std::atoi(given)) : 1) + GetParam();
  SCOPED_TRACE("EMDB_SEED " + std::to_string(seed - GetParam()));
  RecordProperty("seed", static_cast<int>(seed));
  const bool in_memory = GetParam() == 3;
  Model model(seed, in_memory);
  model.Run(kOperationsPerRound);
  EXPECT_EQ(model.monitor().failure(), "");
  EXPECT_EQ(model.monitor().headers_checked() > 10, !in_memory);
  EXPECT_EQ(model.monitor().segments_checked() > 10, !in_memory);
}

}  // namespace
}  // namespace emdb
