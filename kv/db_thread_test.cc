// All public calls at once, from many threads; made to be run under ThreadSanitizer. What is
// checked: a thread reads its own writes, batches are seen whole, snapshots do not move, and
// nothing that was written is missing in the end.

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/threads.emdb";
constexpr int kWriters = 4;
constexpr int kWrites = 600;

class DbThreadTest : public testing::TestWithParam<bool> {
 protected:
  DbThreadTest() {
    options_.env = &env_;
    options_.memtable_size = 128 << 10;
    options_.cache_size = 1 << 20;
    options_.wal_segment_size = 128 << 10;
    options_.flush_policy = FlushPolicy::Group(absl::Milliseconds(1));
    auto db = GetParam() ? Db::OpenInMemory(options_) : Db::Open(options_, kPath);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  static std::string Key(int writer, int n) {
    return "w" + std::to_string(writer) + "/" + std::to_string(n);
  }

  // Each writer owns two keys that always change together, and a row of keys that only come.
  void Write(int writer) {
    std::mt19937 random(static_cast<uint32_t>(writer));
    const std::string left = "pair/" + std::to_string(writer) + "/left";
    const std::string right = "pair/" + std::to_string(writer) + "/right";
    std::string value;
    for (int n = 0; n < kWrites; ++n) {
      const std::string number = std::to_string(n);
      WriteBatch batch;
      batch.Put(left, number);
      batch.Put(right, number);
      batch.Put(Key(writer, n), std::string(random() % 400, 'v'));
      batch.Delete("gone/" + number);
      if (random() % 4 == 0) {
        Async(batch);
        continue;
      }
      ASSERT_TRUE(db_->Write(batch, {.sync = random() % 4 == 0}).ok());
      ASSERT_TRUE(db_->Get(Key(writer, n), &value).ok()) << "a thread must read its own writes";
    }
  }

  void Async(const WriteBatch& batch) {
    async_started_++;
    db_->WriteAsync(batch, [this](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      async_done_++;
    });
  }

  void Read(int reader) {
    std::mt19937 random(static_cast<uint32_t>(100 + reader));
    while (!stop_) {
      const std::string pair = "pair/" + std::to_string(random() % kWriters);
      Snapshot snapshot = db_->GetSnapshot();
      const ReadOptions at{.snapshot = &snapshot};
      std::string left;
      std::string right;
      const absl::Status left_status = db_->Get(pair + "/left", &left, at);
      const absl::Status right_status = db_->Get(pair + "/right", &right, at);
      ASSERT_EQ(left_status.code(), right_status.code());
      ASSERT_EQ(left, right) << "a batch must be seen whole";
      const std::string left_key = pair + "/left";
      const std::string right_key = pair + "/right";
      const std::vector<std::string_view> keys = {left_key, right_key};
      std::vector<std::string> values;
      const std::vector<absl::Status> statuses = db_->MultiGet(keys, &values);
      ASSERT_EQ(statuses[0].code(), statuses[1].code());
      if (statuses[0].ok()) {
        ASSERT_EQ(values[0], values[1]);
      }
      // Twice the same, with writes and checkpoints in between.
      ASSERT_EQ(CountAndCheck(at, true), CountAndCheck(at, false));
    }
  }

  size_t CountAndCheck(const ReadOptions& options, bool forward) {
    std::unique_ptr<Iterator> it = db_->NewIterator(options);
    size_t count = 0;
    std::string last;
    for (forward ? it->SeekToFirst() : it->SeekToLast(); it->Valid();
         forward ? it->Next() : it->Prev()) {
      if (count > 0) {
        EXPECT_EQ(forward, it->key() > last);
      }
      last = it->key();
      count += 1 + it->value().size();
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    return count;
  }

  void Maintain() {
    std::mt19937 random(7);
    while (!stop_) {
      switch (random() % 5) {
        case 0:
          ASSERT_TRUE(db_->Checkpoint().ok());
          break;
        case 1:
          ASSERT_TRUE(db_->Flush().ok());
          break;
        case 2:
          ASSERT_TRUE(db_->Compact().ok());
          break;
        case 3:
          ASSERT_TRUE(db_->Verify().ok());
          break;
        default:
          ASSERT_FALSE(db_->GetStats().ToString().empty());
      }
    }
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> stop_{false};
  std::atomic<int> async_started_{0};
  std::atomic<int> async_done_{0};
};

INSTANTIATE_TEST_SUITE_P(, DbThreadTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) {
                           return info.param ? "InMemory" : "OnDisk";
                         });

TEST_P(DbThreadTest, AllCallsAtOnce) {
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) others.emplace_back([this, i] { Read(i); });
  others.emplace_back([this] { Maintain(); });
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) writers.emplace_back([this, i] { Write(i); });
  for (std::thread& writer : writers) writer.join();
  stop_ = true;
  for (std::thread& other : others) other.join();

  ASSERT_TRUE(db_->Flush().ok());
  std::string value;
  if (!GetParam()) {
    // Close waits for the asynchronous writes.
    ASSERT_TRUE(db_->Close().ok());
    EXPECT_EQ(async_done_, async_started_);
    db_.reset();
    auto db = Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  EXPECT_EQ(async_done_, async_started_);
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int n = 0; n < kWrites; ++n) ASSERT_TRUE(db_->Get(Key(writer, n), &value).ok());
  }
  ASSERT_TRUE(db_->Verify().ok());
  EXPECT_EQ(db_->GetStats().page_store.records, kWriters * (kWrites + 2u));
}

TEST_P(DbThreadTest, CloseWhileOthersCall) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      std::string value;
      for (int n = 0;; ++n) {
        const absl::Status status = i % 2 == 0 ? db_->Put(Key(i, n), "value", {.sync = n % 8 == 0})
                                               : db_->Get("key", &value);
        if (absl::IsFailedPrecondition(status)) return;
        ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
      }
    });
  }
  while (db_->GetStats().puts < 200) std::this_thread::yield();
  EXPECT_TRUE(db_->Close().ok());
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace emdb
