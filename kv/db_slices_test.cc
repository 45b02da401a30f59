// A database that is larger than its cache, so that checkpoints leave changes in slices: checked
// against a std::map, by gets, by scans in both directions, through snapshots, after reopens and
// kills, and by threads while checkpoints run.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/order_monitor.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/slices.emdb";
constexpr int kKeys = 20'000;

using Model = std::map<std::string, std::string>;

std::string KeyAt(uint64_t i) { return absl::StrCat("key", 1'000'000 + i); }

class DbSlicesTest : public testing::Test {
 protected:
  DbSlicesTest() {
    SetDisk(std::make_unique<FaultEnv>());
    Open();
    for (int i = 0; i < kKeys; ++i) Put(i, std::string(200, 'a'));
    EXPECT_TRUE(db_->Checkpoint().ok());
  }

  ~DbSlicesTest() override { CloseDisk(); }

  // What goes on in front of the disk is watched until the database is gone.
  void CloseDisk() {
    db_.reset();
    EXPECT_EQ(monitor_->failure(), "");
    monitor_.reset();
  }
  void SetDisk(std::unique_ptr<FaultEnv> env) {
    env_ = std::move(env);
    monitor_ = std::make_unique<OrderMonitor>(env_.get(), kPath);
  }
  void Open() {
    Options options;
    options.env = monitor_->env();
    options.memtable_size = 256 << 10;
    options.cache_size = 1 << 20;
    options.wal_segment_size = 256 << 10;
    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  // Goes on with what a killed process leaves.
  void KillAndOpen() {
    auto next = std::make_unique<FaultEnv>(env_->FullImage());
    CloseDisk();
    SetDisk(std::move(next));
    Open();
  }

  void Put(uint64_t i, std::string value) {
    ASSERT_TRUE(db_->Put(KeyAt(i), value).ok());
    model_[KeyAt(i)] = std::move(value);
  }
  void Delete(uint64_t i) {
    ASSERT_TRUE(db_->Delete(KeyAt(i)).ok());
    model_.erase(KeyAt(i));
  }
  // Some in a hundred keys anew, changed or deleted, all over the store.
  void ChangeSome() {
    for (int n = 0; n < kKeys / 40; ++n) {
      const uint64_t i = random_() % (kKeys + kKeys / 10);
      if (random_() % 3 == 0) {
        Delete(i);
      } else {
        Put(i, std::string(random_() % 300, static_cast<char>('b' + random_() % 20)));
      }
    }
    if (random_() % 4 == 0) Put(random_() % kKeys, std::string(30'000, 'L'));
  }
  uint64_t slice_records() const { return db_->GetStats().page_store.slice_records; }

  void ExpectContents(const Model& model, const ReadOptions& options = {}) {
    const std::unique_ptr<Iterator> it = db_->NewIterator(options);
    it->SeekToFirst();
    for (const auto& [key, value] : model) {
      ASSERT_TRUE(it->Valid()) << it->status();
      ASSERT_EQ(it->key(), key);
      ASSERT_EQ(it->value(), value) << key;
      it->Next();
    }
    ASSERT_FALSE(it->Valid()) << it->key();
    it->SeekToLast();
    for (auto at = model.rbegin(); at != model.rend(); ++at) {
      ASSERT_TRUE(it->Valid()) << it->status();
      ASSERT_EQ(it->key(), at->first);
      it->Prev();
    }
    ASSERT_FALSE(it->Valid()) << it->key();
    ASSERT_EQ(it->status(), absl::OkStatus());
    ExpectGets(model, options);
  }

  void ExpectGets(const Model& model, const ReadOptions& options) {
    constexpr size_t kLookups = 2000;
    std::vector<std::string> keys;
    keys.reserve(kLookups);
    for (size_t n = 0; n < kLookups; ++n) keys.push_back(KeyAt(random_() % (kKeys + kKeys / 10)));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::string> values;
    const std::vector<absl::Status> statuses = db_->MultiGet(views, &values, options);
    PinnedValue pinned;
    for (size_t n = 0; n < keys.size(); ++n) {
      const auto expected = model.find(keys[n]);
      const absl::Status status = db_->Get(keys[n], &pinned, options);
      ASSERT_EQ(status, statuses[n]) << keys[n];
      ASSERT_EQ(status.ok(), expected != model.end()) << keys[n] << ": " << status;
      if (!status.ok()) continue;
      ASSERT_EQ(pinned.value(), expected->second) << keys[n];
      ASSERT_EQ(values[n], expected->second) << keys[n];
    }
  }

  std::mt19937_64 random_{20261129};
  std::unique_ptr<FaultEnv> env_;
  std::unique_ptr<OrderMonitor> monitor_;
  std::unique_ptr<Db> db_;
  Model model_;
};

TEST_F(DbSlicesTest, IsWhatWasWrittenThroughCheckpointsReopensAndKills) {
  const uint64_t rounds = TestAmount("EMDB_SLICES_ROUNDS", 25) + 5;
  bool had_slices = false;
  for (uint64_t round = 0; round < rounds; ++round) {
    ChangeSome();
    if (round % 3 != 0) {
      ASSERT_TRUE(db_->Checkpoint().ok());
    }
    had_slices = had_slices || slice_records() > 0;
    ASSERT_NO_FATAL_FAILURE(ExpectContents(model_)) << "round " << round;
    if (round % 5 == 1) {
      ASSERT_NO_FATAL_FAILURE(KillAndOpen());
    }
    if (round % 5 == 4) {
      ASSERT_TRUE(db_->Close().ok());
      ASSERT_NO_FATAL_FAILURE(Open());
    }
    ASSERT_EQ(db_->Verify(), absl::OkStatus()) << "round " << round;
  }
  EXPECT_TRUE(had_slices);
}

TEST_F(DbSlicesTest, ASnapshotKeepsItsSlices) {
  ChangeSome();
  ASSERT_TRUE(db_->Checkpoint().ok());
  ChangeSome();
  const Model before = model_;
  const Snapshot snapshot = db_->GetSnapshot();
  for (int round = 0; round < 4; ++round) {
    ChangeSome();
    ASSERT_TRUE(db_->Checkpoint().ok());
  }
  ASSERT_TRUE(db_->Compact().ok());
  EXPECT_EQ(slice_records(), 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectContents(before, {.snapshot = &snapshot}));
  ASSERT_NO_FATAL_FAILURE(ExpectContents(model_));
  EXPECT_EQ(db_->GetStats().page_store.records, model_.size());
}

TEST_F(DbSlicesTest, ThoseOfAnEarlierProcessAreFoldedWhenIdle) {
  // Again if this process was slow, and did so itself.
  do {
    ChangeSome();
    ASSERT_TRUE(db_->Checkpoint().ok());
    ASSERT_NO_FATAL_FAILURE(KillAndOpen());
  } while (slice_records() == 0);
  for (int waits = 0; slice_records() > 0; ++waits) {
    ASSERT_LT(waits, 2000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_NO_FATAL_FAILURE(ExpectContents(model_));
}

// What a slice replaces stays where it is until it is folded: where the disk is full of it, no
// attempt would find more room than the one before.
TEST_F(DbSlicesTest, ACheckpointWithoutSpaceFoldsForTheNextAttempt) {
  uint64_t left = UINT64_MAX;
  // Again if the next attempt, which comes soon, was faster than the look at what is left.
  for (int rounds = 0; left > 0; ++rounds) {
    ASSERT_LT(rounds, 10);
    do {
      ChangeSome();
      ASSERT_TRUE(db_->Checkpoint().ok());
    } while (slice_records() == 0);
    ChangeSome();
    FaultRule rule;
    rule.matches = [](FileOp op, std::string_view path) {
      return op == FileOp::kWrite && path == kPath;
    };
    rule.error_number = ENOSPC;
    rule.count = 1;
    env_->AddRule(std::move(rule));
    const absl::Status status = db_->Checkpoint();
    left = slice_records();
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  }
  ASSERT_NO_FATAL_FAILURE(ExpectContents(model_));
}

// Every value of a key says which key it is of, and how often it was written; no reader may see one
// go back.
TEST_F(DbSlicesTest, ThreadsReadWhileSlicesAreWrittenAndFolded) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (uint64_t t = 0; t < 3; ++t) {
    readers.emplace_back([this, t, &stop] {
      std::mt19937_64 random(t);
      std::map<uint64_t, uint64_t> seen;
      std::string value;
      while (!stop) {
        const uint64_t i = random() % 500 * 40;
        ASSERT_EQ(db_->Get(KeyAt(i), &value), absl::OkStatus());
        const uint64_t count = value[0] == 'a' ? 0 : std::stoull(value);
        ASSERT_GE(count, seen[i]) << KeyAt(i);
        seen[i] = count;
      }
    });
  }
  for (uint64_t round = 1; round <= 12; ++round) {
    for (uint64_t i = 0; i < kKeys; i += 40) Put(i, absl::StrCat(round, std::string(100, 'x')));
    ASSERT_TRUE(db_->Checkpoint().ok());
    if (round % 6 == 0) {
      ASSERT_TRUE(db_->Compact().ok());
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  ASSERT_NO_FATAL_FAILURE(ExpectContents(model_));
}

}  // namespace
}  // namespace emdb
