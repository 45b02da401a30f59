// A queue that moves through a Db's keys, against a std::map: messages are put behind the last and
// taken from either end, some come back in the middle, while memtables are frozen and checkpointed,
// records are loaded into what was taken, and readers of older days look on. What iterators
// remember of deleted records must never hide a record.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"

namespace emdb {
namespace {

using State = std::map<std::string, std::string>;

std::string Key(uint32_t n) {
  char buffer[16];
  snprintf(buffer, sizeof(buffer), "%010u", n);
  return buffer;
}

class QueueModel {
 public:
  explicit QueueModel(uint32_t seed) : random_(seed) {
    Options options;
    // Frozen and checkpointed a few times in a run.
    options.memtable_size = 64 << 10;
    options.cache_size = 1 << 20;
    auto db = Db::OpenInMemory(options);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      ASSERT_NO_FATAL_FAILURE(Step()) << "step " << i;
    }
    held_.clear();
    ASSERT_NO_FATAL_FAILURE(Check(db_->NewIterator().get(), state_));
    const absl::Status verified = db_->Verify();
    ASSERT_TRUE(verified.ok()) << verified;
  }

 private:
  struct Held {
    Snapshot snapshot;
    State state;
  };

  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

  void Put(uint32_t n) {
    const std::string value = std::to_string(random_());
    const absl::Status status = db_->Put(Key(n), value);
    ASSERT_TRUE(status.ok()) << status;
    state_[Key(n)] = value;
  }

  void Take(State::iterator at) {
    const absl::Status status = db_->Delete(at->first);
    ASSERT_TRUE(status.ok()) << status;
    state_.erase(at);
  }

  // Records that go past the log, into what was taken.
  void Load() {
    std::vector<std::pair<std::string, std::string>> records;
    for (uint32_t i = 0, n = Below(tail_); i < 3; ++i) records.emplace_back(Key(n + i), "loaded");
    auto at = records.begin();
    const absl::Status status = db_->BulkLoad([&](std::string_view* key, std::string_view* value) {
      if (at == records.end()) return false;
      *key = at->first;
      *value = at->second;
      ++at;
      return true;
    });
    ASSERT_TRUE(status.ok()) << status;
    for (const auto& [key, value] : records) state_[key] = value;
  }

  void Step() {
    const uint32_t choice = Below(1000);
    if (choice < 400 || state_.size() < 5) {
      Put(tail_++);
    } else if (choice < 850) {
      Take(choice % 10 == 0 ? std::prev(state_.end()) : state_.begin());
    } else if (choice < 870) {
      Put(Below(tail_));
    } else if (choice < 873) {
      Load();
    } else if (choice < 875) {
      const absl::Status status = db_->Checkpoint();
      ASSERT_TRUE(status.ok()) << status;
    } else if (choice < 880) {
      held_.push_back({db_->GetSnapshot(), state_});
      if (held_.size() > 4) held_.erase(held_.begin() + Below(4));
    } else if (choice < 890 && !held_.empty()) {
      const Held& held = held_[Below(static_cast<uint32_t>(held_.size()))];
      ReadOptions options;
      options.snapshot = &held.snapshot;
      Check(db_->NewIterator(options).get(), held.state);
    } else {
      Check(db_->NewIterator().get(), state_);
    }
  }

  // Both ends, what is around some key, and a few moves from there.
  void Check(Iterator* it, const State& state) {
    it->SeekToFirst();
    ExpectAt(*it, state, state.begin());
    it->SeekToLast();
    ExpectAt(*it, state, state.empty() ? state.end() : std::prev(state.end()));
    const std::string target = Key(Below(tail_));
    it->SeekForPrev(target);
    auto at = state.upper_bound(target);
    ExpectAt(*it, state, at == state.begin() ? state.end() : std::prev(at));
    it->Seek(target);
    at = state.lower_bound(target);
    for (int i = 0; i < 6 && at != state.end(); ++i) {
      ASSERT_NO_FATAL_FAILURE(ExpectAt(*it, state, at));
      if (i % 3 != 1 || at == state.begin()) {
        it->Next();
        ++at;
      } else {
        it->Prev();
        --at;
      }
    }
    ExpectAt(*it, state, at);
  }

  void ExpectAt(const Iterator& it, const State& state, State::const_iterator at) {
    ASSERT_TRUE(it.status().ok()) << it.status();
    ASSERT_EQ(it.Valid(), at != state.end());
    if (!it.Valid()) return;
    ASSERT_EQ(it.key(), at->first);
    ASSERT_EQ(it.value(), at->second);
  }

  std::mt19937 random_;
  std::unique_ptr<Db> db_;
  State state_;
  uint32_t tail_ = 1;
  std::vector<Held> held_;
};

TEST(DbQueueModelTest, NoRecordIsHiddenByTheDeletedOnes) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    QueueModel model(seed);
    ASSERT_NO_FATAL_FAILURE(model.Run(12'000));
  }
}

// One thread moves a queue of constant length on; in front of it one stray record jumps from place
// to place among what was taken. Others must always see it, and the whole queue.
TEST(DbQueueModelTest, NoRecordIsHiddenFromReadersBesideTheWriter) {
  constexpr uint32_t kLength = 100;
  constexpr uint32_t kMoves = 6000;
  Options options;
  options.memtable_size = 256 << 10;
  auto db = Db::OpenInMemory(options);
  ASSERT_TRUE(db.ok()) << db.status();
  WriteBatch first;
  for (uint32_t i = 0; i <= kLength; ++i) first.Put(Key(i), "");
  ASSERT_TRUE((*db)->Write(first).ok());

  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    std::mt19937 random(1);
    uint32_t stray = 0;
    for (uint32_t head = 1; head <= kMoves; ++head) {
      WriteBatch move;
      move.Delete(Key(head));
      move.Put(Key(head + kLength), "");
      move.Delete(Key(stray));
      stray = static_cast<uint32_t>(random() % (head + 1));
      move.Put(Key(stray), "");
      EXPECT_TRUE((*db)->Write(move).ok());
    }
    is_over = true;
  });
  const auto read = [&] {
    while (!is_over) {
      const std::unique_ptr<Iterator> it = (*db)->NewIterator();
      it->SeekToLast();
      ASSERT_TRUE(it->Valid());
      const uint32_t last = static_cast<uint32_t>(std::stoul(std::string(it->key())));
      it->SeekToFirst();
      ASSERT_TRUE(it->Valid());
      ASSERT_LE(it->key(), Key(last - kLength));
      it->Next();
      ASSERT_TRUE(it->Valid());
      ASSERT_EQ(it->key(), Key(last - kLength + 1));
      it->Prev();
      ASSERT_TRUE(it->Valid());
    }
  };
  std::thread other(read);
  read();
  other.join();
  writer.join();
}

}  // namespace
}  // namespace emdb
