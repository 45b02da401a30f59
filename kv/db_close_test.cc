// Closing: what happens to snapshots and iterators that are alive then, and later.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/test.emdb";
constexpr char kMessage[] = "the database is closed";
constexpr int kKeys = 2000;

std::string KeyAt(int i) { return absl::StrCat("key", 100000 + i); }

void ExpectClosed(const absl::Status& status) {
  EXPECT_EQ(status, absl::FailedPreconditionError(kMessage));
}

// Not valid, and says why, whatever is asked of it.
void ExpectEnded(Iterator* it) {
  const auto expect = [it] {
    EXPECT_FALSE(it->Valid());
    ExpectClosed(it->status());
  };
  expect();
  it->SeekToFirst();
  expect();
  it->SeekToLast();
  expect();
  it->Seek(KeyAt(1));
  expect();
  it->SeekForPrev(KeyAt(1));
  expect();
}

// Every test runs on a store with files and on one in memory.
class DbCloseTest : public testing::TestWithParam<bool> {
 protected:
  DbCloseTest() {
    options_.env = &env_;
    options_.memtable_size = 1 << 20;
    options_.cache_size = 1 << 20;
    options_.wal_segment_size = 1 << 20;
    Open();
  }

  bool in_memory() const { return GetParam(); }

  void Open() {
    auto db = in_memory() ? Db::OpenInMemory(options_) : Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // Half of the keys in the tree, which does not fit into the cache, half in the memtable.
  void Fill(std::string_view value) {
    const std::string filler(1000, 'v');
    for (int i = 0; i < kKeys; i += 2) Put(KeyAt(i), absl::StrCat(std::string(value), filler));
    ASSERT_TRUE(db_->Checkpoint().ok());
    for (int i = 1; i < kKeys; i += 2) Put(KeyAt(i), std::string(value));
  }

  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(db_->Put(key, value).ok());
  }

  std::string Get(std::string_view key) {
    std::string value;
    const absl::Status status = db_->Get(key, &value);
    return status.ok() ? value : status.ToString();
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, DbCloseTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "InMemory" : "InFiles"; });

TEST_P(DbCloseTest, ASnapshotMayOutliveTheDb) {
  Put("key", "value");
  std::optional<Snapshot> snapshot = db_->GetSnapshot();
  Put("key", "later");
  EXPECT_TRUE(db_->Close().ok());
  std::string value;
  ExpectClosed(db_->Get("key", &value, {.snapshot = &*snapshot}));
  ExpectClosed(db_->NewIterator({.snapshot = &*snapshot})->status());
  EXPECT_EQ(db_->GetStats().live_snapshots, 1u);
  db_.reset();
  EXPECT_EQ(snapshot->seq(), 1u);
  Snapshot moved = std::move(*snapshot);
  snapshot.reset();
  EXPECT_EQ(moved.seq(), 1u);
}

TEST_P(DbCloseTest, AnIteratorInMidWalkEnds) {
  Fill("old");
  const Snapshot snapshot = db_->GetSnapshot();
  std::unique_ptr<Iterator> it = db_->NewIterator({.snapshot = &snapshot});
  std::unique_ptr<Iterator> not_moved = db_->NewIterator();
  it->Seek(KeyAt(10));
  ASSERT_TRUE(it->Valid());
  const std::string_view key = it->key();
  const std::string_view value = it->value();
  EXPECT_TRUE(db_->Close().ok());
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(key, KeyAt(10));
  EXPECT_EQ(value, "old" + std::string(1000, 'v'));
  ExpectEnded(it.get());
  ExpectEnded(not_moved.get());
}

TEST_P(DbCloseTest, TheDestructorClosesTooAndBothLiveOn) {
  Fill("old");
  Snapshot snapshot = db_->GetSnapshot();
  std::unique_ptr<Iterator> at_snapshot = db_->NewIterator({.snapshot = &snapshot});
  std::unique_ptr<Iterator> newest = db_->NewIterator();
  at_snapshot->Seek(KeyAt(10));
  newest->SeekForPrev(KeyAt(11));
  const std::string_view value = newest->value();
  db_.reset();
  EXPECT_EQ(value, "old");
  ExpectEnded(at_snapshot.get());
  snapshot = Snapshot();
  ExpectEnded(newest.get());
}

TEST_P(DbCloseTest, AllIsDurableAlthoughSomebodyHoldsAState) {
  if (in_memory()) return;
  Fill("old");
  const Snapshot snapshot = db_->GetSnapshot();
  const std::unique_ptr<Iterator> it = db_->NewIterator();
  ASSERT_TRUE(db_->Close().ok());
  FaultEnv after_power_cut(env_.SyncedImage());
  options_.env = &after_power_cut;
  Open();
  EXPECT_EQ(Get(KeyAt(kKeys - 1)), "old");
  EXPECT_TRUE(db_->GetStats().wal_recovery.was_clean);
  EXPECT_TRUE(db_->Verify().ok());
  db_.reset();
}

TEST_P(DbCloseTest, TheStoreIsOpenedAgainBesideAnOldIterator) {
  if (in_memory()) return;
  Fill("old");
  Snapshot snapshot = db_->GetSnapshot();
  std::unique_ptr<Iterator> it = db_->NewIterator();
  it->SeekToFirst();
  const std::string_view value = it->value();
  const std::unique_ptr<Db> closed = std::move(db_);
  ASSERT_TRUE(closed->Close().ok());

  // The new Db knows nothing of the old state, and uses its pages again.
  Open();
  for (int round = 0; round < 4; ++round) Fill("new");
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(value, "old" + std::string(1000, 'v'));
  ExpectEnded(it.get());
  std::string unused;
  const ReadOptions foreign{.snapshot = &snapshot};
  EXPECT_EQ(db_->Get("key", &unused, foreign).code(), absl::StatusCode::kInvalidArgument);
  it.reset();
  snapshot = Snapshot();
  EXPECT_EQ(Get(KeyAt(1)), "new");
  EXPECT_TRUE(db_->Verify().ok());
}

TEST_P(DbCloseTest, ASnapshotOfAnotherDbOrNoneIsRefused) {
  auto other = Db::OpenInMemory();
  ASSERT_TRUE(other.ok());
  const Snapshot foreign = (*other)->GetSnapshot();
  const Snapshot empty;
  for (const Snapshot* snapshot : {&foreign, &empty}) {
    const ReadOptions options{.snapshot = snapshot};
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    std::string value;
    std::vector<std::string> values;
    EXPECT_EQ(db_->Get("key", &value, options).code(), kInvalid);
    EXPECT_EQ(db_->MultiGet({"key"}, &values, options)[0].code(), kInvalid);
    EXPECT_EQ(db_->NewIterator(options)->status().code(), kInvalid);
  }
}

TEST_P(DbCloseTest, IteratorsWalkWhileTheDbIsClosedAndDestroyed) {
  Fill("old");
  std::atomic<int> walking{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&walking, it = db_->NewIterator()] {
      it->SeekToFirst();
      size_t bytes = it->key().size() + it->value().size();
      walking++;
      // For as long as the Db is open: round and round.
      while (it->status().ok()) {
        for (it->SeekToFirst(); it->Valid(); it->Next()) {
          bytes += it->key().size() + it->value().size();
        }
      }
      EXPECT_GT(bytes, 0u);
      ExpectEnded(it.get());
    });
  }
  while (walking < 4) std::this_thread::yield();
  EXPECT_TRUE(db_->Close().ok());
  db_.reset();
  if (!in_memory()) {
    Open();
    Fill("new");
  }
  for (std::thread& thread : threads) thread.join();
}

// Stores that are closed with records in their log, and opened again.
class DbCloseWithLogTest : public testing::Test {
 protected:
  DbCloseWithLogTest() {
    options_.env = &env_;
    options_.memtable_size = 4 << 20;
    options_.cache_size = 1 << 20;
  }

  static std::string Value() { return std::string(1000, 'v'); }

  void Open() { db_ = Db::Open(options_, kPath).value(); }
  void OpenWith(int keys) {
    Open();
    for (int i = 0; i < keys; ++i) ASSERT_TRUE(db_->Put(KeyAt(i), Value()).ok());
  }
  void ExpectKeys(int keys) {
    std::string value;
    for (int i = 0; i < keys; ++i) {
      ASSERT_TRUE(db_->Get(KeyAt(i), &value).ok()) << i;
      ASSERT_EQ(value, Value()) << i;
    }
  }

  FaultEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(DbCloseWithLogTest, AFewRecordsStayInTheLog) {
  OpenWith(10);
  const uint64_t next_seq = db_->GetStats().next_seq;
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().recovered_records, next_seq);
  ExpectKeys(10);
}

TEST_F(DbCloseWithLogTest, ManyAreCheckpointedSoThatTheNextOpenRedoesNone) {
  OpenWith(1000);
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().recovered_records, 0u);
  EXPECT_EQ(db_->GetStats().memtable_records, 0u);
  ExpectKeys(1000);
}

TEST_F(DbCloseWithLogTest, AFewChangesOfALargeStoreStayInTheLog) {
  OpenWith(3000);
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int i = 0; i < 3000; i += 10) ASSERT_TRUE(db_->Put(KeyAt(i), Value()).ok());
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats().recovered_records, 300u);
  ExpectKeys(3000);
}

TEST_F(DbCloseWithLogTest, AFailedCheckpointIsReportedAndLosesNothing) {
  OpenWith(1000);
  env_.AddRule(
      {.matches = [](FileOp op,
                     std::string_view path) { return op == FileOp::kWrite && path == kPath; },
       .error_number = 28});  // ENOSPC
  EXPECT_EQ(db_->Close().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(db_->Close().code(), absl::StatusCode::kFailedPrecondition);
  env_.ClearRules();
  Open();
  EXPECT_EQ(db_->GetStats().recovered_records, 1000u);
  ExpectKeys(1000);
}

}  // namespace
}  // namespace emdb
