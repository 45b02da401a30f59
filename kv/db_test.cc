// The public calls of a Db, on a simulated disk and in memory.

#include "kv/db.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/memtable.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/test.emdb";

absl::StatusCode Code(const absl::Status& status) { return status.code(); }

// Every test runs on a store with files and on one in memory.
class DbTest : public testing::TestWithParam<bool> {
 protected:
  DbTest() {
    options_.env = &env_;
    options_.memtable_size = 1 << 20;
    options_.cache_size = 4 << 20;
    options_.wal_segment_size = 1 << 20;
    Open();
  }

  bool in_memory() const { return GetParam(); }

  void Open() {
    auto db = in_memory() ? Db::OpenInMemory(options_) : Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  std::string Get(std::string_view key, const ReadOptions& options = {}) {
    std::string value;
    const absl::Status status = db_->Get(key, &value, options);
    if (status.ok()) return "=" + value;
    return absl::IsNotFound(status) ? "absent" : status.ToString();
  }

  std::string Scan(const ReadOptions& options = {}) {
    std::string all;
    std::unique_ptr<Iterator> it = db_->NewIterator(options);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      all.append(it->key()).append("=").append(it->value()).append(" ");
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    std::string reverse;
    for (it->SeekToLast(); it->Valid(); it->Prev()) {
      std::string entry(it->key());
      entry.append("=").append(it->value()).append(" ");
      reverse.insert(0, entry);
    }
    EXPECT_EQ(all, reverse);
    return all;
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
};

INSTANTIATE_TEST_SUITE_P(, DbTest, testing::Bool(), [](const testing::TestParamInfo<bool>& info) {
  return info.param ? "InMemory" : "OnDisk";
});

TEST_P(DbTest, StartsEmpty) {
  EXPECT_EQ(Get("key"), "absent");
  EXPECT_EQ(Scan(), "");
  std::string value;
  EXPECT_TRUE(db_->Get("key", &value).message().empty());
}

TEST_P(DbTest, PutGetOverwriteDelete) {
  ASSERT_TRUE(db_->Put("key", "1").ok());
  EXPECT_EQ(Get("key"), "=1");
  ASSERT_TRUE(db_->Put("key", "2", {.sync = true}).ok());
  EXPECT_EQ(Get("key"), "=2");
  ASSERT_TRUE(db_->Put("key", "").ok());
  EXPECT_EQ(Get("key"), "=");
  ASSERT_TRUE(db_->Delete("key").ok());
  EXPECT_EQ(Get("key"), "absent");
  EXPECT_TRUE(db_->Delete("key").ok());
}

TEST_P(DbTest, ABatchIsAppliedInOrder) {
  ASSERT_TRUE(db_->Put("a", "old").ok());
  WriteBatch batch;
  batch.Delete("a");
  batch.Put("b", "1");
  batch.Put("b", "2");
  batch.Put("c", "3");
  batch.Delete("c");
  ASSERT_TRUE(db_->Write(batch, {.sync = true}).ok());
  EXPECT_EQ(Scan(), "b=2 ");
  EXPECT_TRUE(db_->Write(WriteBatch()).ok());
}

TEST_P(DbTest, WhatIsCheckpointedIsReadFromTheTree) {
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(db_->Put("key" + std::to_string(i), std::string(100, 'v')).ok());
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats().page_store.records, 500u);
  EXPECT_EQ(db_->GetStats().memtable_records, 0u);
  ASSERT_TRUE(db_->Delete("key7").ok());
  ASSERT_TRUE(db_->Put("key8", "new").ok());
  EXPECT_EQ(Get("key7"), "absent");
  EXPECT_EQ(Get("key8"), "=new");
  EXPECT_EQ(Get("key9"), "=" + std::string(100, 'v'));
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats().page_store.records, 499u);
  EXPECT_EQ(Get("key7"), "absent");
  EXPECT_EQ(Get("key8"), "=new");
  EXPECT_TRUE(db_->Verify().ok());
  EXPECT_TRUE(db_->Checkpoint().ok());  // with nothing to do
}

TEST_P(DbTest, ASnapshotShowsItsStateWhateverHappensLater) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("b", "1").ok());
  Snapshot snapshot = db_->GetSnapshot();
  EXPECT_EQ(snapshot.seq(), db_->GetStats().visible_seq);
  ASSERT_TRUE(db_->Put("a", "2").ok());
  ASSERT_TRUE(db_->Delete("b").ok());
  ASSERT_TRUE(db_->Put("c", "2").ok());
  const ReadOptions at{.snapshot = &snapshot};
  const auto check = [&] {
    EXPECT_EQ(Get("a", at), "=1");
    EXPECT_EQ(Get("b", at), "=1");
    EXPECT_EQ(Get("c", at), "absent");
    EXPECT_EQ(Scan(at), "a=1 b=1 ");
    EXPECT_EQ(Scan(), "a=2 c=2 ");
  };
  check();
  ASSERT_TRUE(db_->Checkpoint().ok());
  check();
  EXPECT_EQ(db_->GetStats().live_snapshots, 1u);
  Snapshot moved = std::move(snapshot);
  EXPECT_EQ(Get("a", {.snapshot = &moved}), "=1");
  // An iterator counts for itself, and keeps what it reads without the snapshot.
  const std::unique_ptr<Iterator> it = db_->NewIterator({.snapshot = &moved});
  EXPECT_EQ(db_->GetStats().live_snapshots, 2u);
  moved = Snapshot();
  EXPECT_EQ(db_->GetStats().live_snapshots, 1u);
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->value(), "1");
}

TEST_P(DbTest, IteratorsStayWithinTheirBounds) {
  for (const char* key : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(db_->Put(key, "1").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Put("bb", "2").ok());
  EXPECT_EQ(Scan({.lower_bound = "b", .upper_bound = "d"}), "b=1 bb=2 c=1 ");
  EXPECT_EQ(Scan({.lower_bound = "bb"}), "bb=2 c=1 d=1 e=1 ");
  EXPECT_EQ(Scan({.upper_bound = "a"}), "");
  EXPECT_EQ(Scan({.lower_bound = "x"}), "");
  std::string bound = "b";
  std::unique_ptr<Iterator> it = db_->NewIterator({.lower_bound = bound, .upper_bound = "d"});
  bound = "z";  // it has been copied
  it->Seek("a");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Prev();
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("z");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "c");
}

TEST_P(DbTest, AnIteratorDoesNotSeeLaterWritesNorCheckpoints) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  std::unique_ptr<Iterator> it = db_->NewIterator();
  ASSERT_TRUE(db_->Put("b", "1").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  it->SeekToLast();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "a");
}

TEST_P(DbTest, MultiGetFindsWhatGetFinds) {
  ASSERT_TRUE(db_->Put("tree", "1").ok());
  ASSERT_TRUE(db_->Put("gone", "1").ok());
  ASSERT_TRUE(db_->Put("changed", "1").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  Snapshot snapshot = db_->GetSnapshot();
  ASSERT_TRUE(db_->Put("memory", "2").ok());
  ASSERT_TRUE(db_->Put("changed", "2").ok());
  ASSERT_TRUE(db_->Delete("gone").ok());
  const std::vector<std::string_view> keys = {"memory", "gone", "never", "tree", "changed", ""};
  std::vector<std::string> values;
  std::vector<absl::Status> statuses = db_->MultiGet(keys, &values);
  ASSERT_EQ(statuses.size(), keys.size());
  ASSERT_EQ(values.size(), keys.size());
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_EQ(values[0], "2");
  EXPECT_EQ(Code(statuses[1]), absl::StatusCode::kNotFound);
  EXPECT_EQ(Code(statuses[2]), absl::StatusCode::kNotFound);
  EXPECT_TRUE(statuses[3].ok());
  EXPECT_EQ(values[3], "1");
  EXPECT_EQ(values[4], "2");
  EXPECT_EQ(Code(statuses[5]), absl::StatusCode::kInvalidArgument);
  statuses = db_->MultiGet(keys, &values, {.snapshot = &snapshot});
  EXPECT_EQ(Code(statuses[0]), absl::StatusCode::kNotFound);
  EXPECT_TRUE(statuses[1].ok());
  EXPECT_EQ(values[4], "1");
}

TEST_P(DbTest, KeysAndValuesOutOfRangeAreRefusedAndNothingIsWritten) {
  const uint64_t before = db_->GetStats().next_seq;
  EXPECT_EQ(Code(db_->Put("", "v")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(db_->Delete("")), absl::StatusCode::kInvalidArgument);
  const std::string too_long(Db::kMaxKeyBytes + 1, 'k');
  EXPECT_EQ(Code(db_->Put(too_long, "v")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(db_->Delete(too_long)), absl::StatusCode::kInvalidArgument);
  // Its bytes are never looked at.
  const std::string_view too_large(too_long.data(), Db::kMaxValueBytes + 1);
  EXPECT_EQ(Code(db_->Put("key", too_large)), absl::StatusCode::kInvalidArgument);
  WriteBatch batch;
  batch.Put("good", "v");
  batch.Put("", "v");
  EXPECT_EQ(Code(db_->Write(batch)), absl::StatusCode::kInvalidArgument);
  absl::Status async;
  db_->WriteAsync(batch, [&async](const absl::Status& status) { async = status; });
  EXPECT_EQ(Code(async), absl::StatusCode::kInvalidArgument);
  std::string value;
  EXPECT_EQ(Code(db_->Get("", &value)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(db_->Get(too_long, &value)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(db_->GetStats().next_seq, before);
  EXPECT_EQ(Get("good"), "absent");
}

TEST_P(DbTest, ABatchThatSplitsEveryNodeOfAFullMemtableFits) {
  // Records that weigh little beside the nodes: in order, so that each node is full, until the
  // memtable nearly is.
  const auto key = [](size_t n) {
    return std::string{'k', static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                       static_cast<char>(n)};
  };
  size_t keys = 0;
  while (db_->GetStats().memtable_bytes < options_.memtable_size / 100 * 98) {
    ASSERT_TRUE(db_->Put(key(2 * keys), "").ok());
    ++keys;
  }
  ASSERT_EQ(db_->GetStats().checkpoints, 0u);
  constexpr size_t kLeafCapacity = 72;
  WriteBatch batch;
  for (size_t n = 0; n < keys; n += kLeafCapacity) batch.Put(key(2 * n + 1), "");
  ASSERT_TRUE(db_->Write(batch).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats().page_store.records, keys + batch.count());
}

TEST_P(DbTest, TheLongestKeyAndLargeValues) {
  const std::string key(Db::kMaxKeyBytes, 'k');
  // Larger than a page, a log segment and the memtable.
  for (const size_t size : {size_t{0}, size_t{1}, size_t{70000}, size_t{3} << 20}) {
    const std::string value(size, 'v');
    ASSERT_TRUE(db_->Put(key, value).ok());
    EXPECT_EQ(Get(key), "=" + value);
    ASSERT_TRUE(db_->Checkpoint().ok());
    EXPECT_EQ(Get(key), "=" + value);
    std::unique_ptr<Iterator> it = db_->NewIterator();
    it->SeekToFirst();
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->value(), value);
  }
}

TEST_P(DbTest, AsyncWritesBecomeDurableAndVisible) {
  constexpr int kWrites = 100;
  std::mutex mutex;
  std::condition_variable all_done;
  int done = 0;
  for (int i = 0; i < kWrites; ++i) {
    WriteBatch batch;
    batch.Put("key" + std::to_string(i), std::to_string(i));
    db_->WriteAsync(batch, [&](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      std::lock_guard<std::mutex> lock(mutex);
      if (++done == kWrites) all_done.notify_one();
    });
  }
  ASSERT_TRUE(db_->Flush().ok());
  {
    std::unique_lock<std::mutex> lock(mutex);
    all_done.wait(lock, [&] { return done == kWrites; });
  }
  for (int i = 0; i < kWrites; ++i)
    EXPECT_EQ(Get("key" + std::to_string(i)), "=" + std::to_string(i));
}

TEST_P(DbTest, CompactKeepsEverything) {
  for (int i = 0; i < 20000; ++i)
    ASSERT_TRUE(db_->Put("key" + std::to_string(i), std::string(200, 'v')).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int i = 0; i < 20000; ++i) {
    if (i % 10 == 0) continue;
    ASSERT_TRUE(db_->Delete("key" + std::to_string(i)).ok());
  }
  const uint64_t pages_before = db_->GetStats().page_store.file_pages;
  ASSERT_TRUE(db_->Compact().ok());
  EXPECT_LT(db_->GetStats().page_store.file_pages, pages_before);
  EXPECT_EQ(db_->GetStats().estimated_records, 2000u);
  EXPECT_EQ(Get("key10"), "=" + std::string(200, 'v'));
  EXPECT_EQ(Get("key11"), "absent");
  EXPECT_TRUE(db_->Verify().ok());
}

TEST_P(DbTest, TheMemtableIsCheckpointedWhenItIsFull) {
  const std::string value(1000, 'v');
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(db_->Put("key" + std::to_string(i), value).ok());
  const Stats stats = db_->GetStats();
  EXPECT_GE(stats.checkpoints, 2u);
  EXPECT_GT(stats.checkpoint_seq, 0u);
  EXPECT_LE(stats.memtable_bytes, 3 * options_.memtable_size);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(Get("key" + std::to_string(i)), "=" + value);
  EXPECT_TRUE(db_->Verify().ok());
}

TEST_P(DbTest, StatsCountWhatWasDone) {
  ASSERT_TRUE(db_->Put("a", "1", {.sync = true}).ok());
  ASSERT_TRUE(db_->Put("b", "1").ok());
  WriteBatch batch;
  batch.Put("c", "1");
  batch.Delete("a");
  ASSERT_TRUE(db_->Write(batch).ok());
  EXPECT_EQ(Get("b"), "=1");
  EXPECT_EQ(Get("a"), "absent");
  db_->NewIterator();
  Stats stats = db_->GetStats();
  EXPECT_EQ(stats.puts, 3u);
  EXPECT_EQ(stats.deletes, 1u);
  EXPECT_EQ(stats.gets, 2u);
  EXPECT_EQ(stats.gets_found, 1u);
  EXPECT_EQ(stats.iterators, 1u);
  EXPECT_EQ(stats.get_latency.count, 1u);
  EXPECT_EQ(stats.commit_latency.count, in_memory() ? 0u : 1u);
  if (!in_memory()) {
    EXPECT_EQ(stats.wal.groups, 1u);
    EXPECT_GE(stats.wal.syncs, 1u);
    EXPECT_EQ(stats.wal.sync_latency.count, stats.wal.syncs);
    EXPECT_GT(stats.wal.bytes_written, 0u);
  }
  EXPECT_EQ(stats.next_seq, 3u);
  EXPECT_EQ(stats.visible_seq, 3u);
  EXPECT_EQ(stats.checkpoint_seq, 0u);
  EXPECT_EQ(stats.memtable_records, 4u);
  EXPECT_EQ(stats.estimated_records, 2u);
  ASSERT_TRUE(db_->Checkpoint().ok());
  stats = db_->GetStats();
  EXPECT_EQ(stats.checkpoint_seq, 3u);
  EXPECT_EQ(stats.durable_seq, 3u);
  EXPECT_EQ(stats.checkpoints, 1u);
  EXPECT_EQ(stats.checkpoint_duration.count, 1u);
  EXPECT_EQ(stats.estimated_records, 2u);
  EXPECT_EQ(stats.page_store.records, 2u);
  EXPECT_GT(stats.page_store.bytes_written, 0u);
  EXPECT_EQ(Get("b"), "=1");
  EXPECT_EQ(Get("c"), "=1");
  stats = db_->GetStats();
  EXPECT_GT(stats.page_store.cache_hits + stats.page_store.cache_misses, 0u);
}

TEST_P(DbTest, UnderGroupAWriteBecomesDurableByItself) {
  ASSERT_EQ(options_.flush_policy.kind(), FlushPolicy::Kind::kGroup);
  ASSERT_TRUE(db_->Put("a", "1").ok());
  while (db_->GetStats().durable_seq < 1) std::this_thread::yield();
  if (in_memory()) return;
  FaultEnv after(env_.SyncedImage());
  options_.env = &after;
  Open();
  EXPECT_EQ(Get("a"), "=1");
  db_.reset();
}

TEST_P(DbTest, ACheckpointWithNothingToDoWaitsForNoVerification) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  bool was_called = false;
  ASSERT_TRUE(db_->Verify([&](uint64_t, uint64_t) {
                   if (std::exchange(was_called, true)) return;
                   std::thread([&] { EXPECT_TRUE(db_->Checkpoint().ok()); }).join();
                 })
                  .ok());
  EXPECT_TRUE(was_called);
}

TEST_P(DbTest, OverwritingOneKeyStaysWithinTwoMemtablesAndOneRecord) {
  const std::string value(10'000, 'v');
  const size_t bound = 2 * (options_.memtable_size + Memtable::RoomFor(1, value.size()));
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(db_->Put("key", value).ok());
    if (i % 20 != 0) continue;
    ASSERT_LE(db_->GetStats().memtable_bytes, bound);
  }
  EXPECT_GT(db_->GetStats().checkpoints, 5u);
  EXPECT_LE(db_->GetStats().estimated_records, 3u);
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats().estimated_records, 1u);
  EXPECT_LT(db_->GetStats().page_store.file_pages, 64u);
}

TEST_P(DbTest, AClosedDatabaseRefusesEveryCall) {
  ASSERT_TRUE(db_->Put("key", "value").ok());
  ASSERT_TRUE(db_->Close().ok());
  constexpr absl::StatusCode kClosed = absl::StatusCode::kFailedPrecondition;
  std::string value;
  std::vector<std::string> values;
  const std::vector<std::string_view> keys = {"key"};
  WriteBatch batch;
  batch.Put("key", "value");
  absl::Status async;
  db_->WriteAsync(batch, [&async](const absl::Status& status) { async = status; });
  EXPECT_EQ(Code(async), kClosed);
  EXPECT_EQ(Code(db_->Put("key", "value")), kClosed);
  EXPECT_EQ(Code(db_->Delete("key")), kClosed);
  EXPECT_EQ(Code(db_->Write(batch)), kClosed);
  EXPECT_EQ(Code(db_->Get("key", &value)), kClosed);
  EXPECT_EQ(Code(db_->MultiGet(keys, &values)[0]), kClosed);
  EXPECT_EQ(Code(db_->NewIterator()->status()), kClosed);
  EXPECT_EQ(Code(db_->Flush()), kClosed);
  EXPECT_EQ(Code(db_->Checkpoint()), kClosed);
  EXPECT_EQ(Code(db_->Compact()), kClosed);
  EXPECT_EQ(Code(db_->Verify()), kClosed);
  EXPECT_EQ(Code(db_->Close()), kClosed);
  EXPECT_EQ(db_->GetSnapshot().seq(), 0u);
  EXPECT_EQ(db_->GetStats().puts, 1u);
}

}  // namespace
}  // namespace emdb
