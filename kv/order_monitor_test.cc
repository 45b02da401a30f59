// Shows the monitor each thing that it must notice, done behind the back of a Db that does it
// right.

#include "kv/order_monitor.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/lying_env.h"
#include "wal/wal.h"

namespace emdb {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "/disk/store.emdb";
constexpr uint64_t kPageBytes = 8192;

class OrderMonitorTest : public testing::Test {
 protected:
  std::unique_ptr<Db> Open(Env* env) {
    Options options;
    options.env = env;
    options.cache_size = size_t{1} << 20;
    options.wal_segment_size = uint64_t{64} << 10;
    options.flush_policy = FlushPolicy::Manual();
    auto db = Db::Open(options, kPath);
    EXPECT_TRUE(db.ok()) << db.status();
    return *std::move(db);
  }
  // Fills some pages with values that are like no others.
  void Write(Db* db) {
    ++writes_;
    for (int i = 0; i < 100; ++i) {
      const std::string value = std::to_string(writes_) + std::string(500, 'v');
      EXPECT_TRUE(db->Put("key" + std::to_string(i), value).ok());
    }
    EXPECT_TRUE(db->Put("large", std::string(40'000, static_cast<char>('a' + writes_))).ok());
  }
  void WriteAndCheckpoint(Db* db) {
    Write(db);
    EXPECT_TRUE(db->Checkpoint().ok());
  }
  std::unique_ptr<File> StoreFile() {
    auto file = monitor_.env()->OpenFile(kPath, {.write = true});
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  // Writes more than a segment holds; returns the first sealed one, which nothing has checkpointed.
  std::string SealSegment(Db* db) {
    Write(db);
    Write(db);
    // Until then the log's new segments may be in memory only.
    EXPECT_TRUE(db->Flush().ok());
    for (const auto& [path, bytes] : disk_.FullImage().files) {
      if (path.starts_with(Wal::PathFor(kPath) + ".0")) return path;
    }
    return "";
  }

  FaultEnv disk_;
  OrderMonitor monitor_{&disk_, kPath};
  int writes_ = 0;
};

TEST_F(OrderMonitorTest, FindsNothingWrongWithADb) {
  for (int life = 0; life < 3; ++life) {
    const auto db = Open(monitor_.env());
    for (int i = 0; i < 4; ++i) WriteAndCheckpoint(db.get());
    EXPECT_TRUE(db->Compact().ok());
    EXPECT_TRUE(db->Close().ok());
  }
  EXPECT_EQ(monitor_.failure(), "");
  EXPECT_GT(monitor_.headers_checked(), 12u);
  EXPECT_GT(monitor_.segments_checked(), 4u);
}

TEST_F(OrderMonitorTest, NoticesAHeaderWhosePagesAreNotSynced) {
  const auto lying = NewLyingEnv(monitor_.env(), [](FileOp op, std::string_view path) {
    return op == FileOp::kSyncData && path == kPath;
  });
  const auto db = Open(lying.get());
  WriteAndCheckpoint(db.get());
  EXPECT_THAT(monitor_.failure(), HasSubstr("has not been synced"));
}

TEST_F(OrderMonitorTest, NoticesAHeaderWhosePagesAreNotThere) {
  const auto db = Open(monitor_.env());
  WriteAndCheckpoint(db.get());
  // Its headers alone go to another disk.
  const SparseBytes store = disk_.FullImage().files.at(kPath);
  FaultEnv empty;
  OrderMonitor other(&empty, kPath);
  const auto file = other.env()->OpenFile(kPath, {.write = true, .create = true});
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(0, store.Read(0, 2 * kPageBytes)).ok());
  EXPECT_THAT(other.failure(), HasSubstr("reaches what is not there"));
}

TEST_F(OrderMonitorTest, NoticesASegmentThatIsRemovedBeforeItsRecordsAreInTheStore) {
  const auto db = Open(monitor_.env());
  const std::string segment = SealSegment(db.get());
  ASSERT_NE(segment, "");
  ASSERT_TRUE(monitor_.env()->Remove(segment).ok());
  EXPECT_THAT(monitor_.failure(), HasSubstr(segment + " goes"));
}

TEST_F(OrderMonitorTest, NoticesASegmentThatBecomesASpareBeforeItsRecordsAreInTheStore) {
  const auto db = Open(monitor_.env());
  const std::string segment = SealSegment(db.get());
  ASSERT_TRUE(monitor_.env()->Rename(segment, Wal::PathFor(kPath) + ".spare.9").ok());
  EXPECT_THAT(monitor_.failure(), HasSubstr("and the durable header has only"));
}

// Every second sync of the store is dropped: the one that makes the header durable.
TEST_F(OrderMonitorTest, NoticesALogThatIsCutBeforeTheHeaderIsDurable) {
  int syncs = 0;
  const auto lying = NewLyingEnv(monitor_.env(), [&syncs](FileOp op, std::string_view path) {
    return op == FileOp::kSyncData && path == kPath && ++syncs > 1 && syncs % 2 == 1;
  });
  const auto db = Open(lying.get());
  WriteAndCheckpoint(db.get());
  EXPECT_EQ(syncs, 3);
  EXPECT_THAT(monitor_.failure(), HasSubstr("and the durable header has only"));
}

TEST_F(OrderMonitorTest, NoticesThatAPageInUseIsOverwritten) {
  const auto db = Open(monitor_.env());
  WriteAndCheckpoint(db.get());
  const OrderMonitor::Pages pages = monitor_.PinDurable();
  size_t id = 0;
  while (!(*pages)[id]) ++id;
  ASSERT_TRUE(StoreFile()->WriteAt(id * kPageBytes, std::string(kPageBytes, 'x')).ok());
  EXPECT_THAT(monitor_.failure(), HasSubstr("is overwritten, and reached by"));
}

TEST_F(OrderMonitorTest, NoticesThatAPageInUseIsCutOff) {
  const auto db = Open(monitor_.env());
  WriteAndCheckpoint(db.get());
  ASSERT_TRUE(StoreFile()->Truncate(3 * kPageBytes).ok());
  EXPECT_THAT(monitor_.failure(), HasSubstr("is cut off, and reached by"));
}

TEST_F(OrderMonitorTest, NoticesThatAPinnedPageIsOverwritten) {
  const auto db = Open(monitor_.env());
  WriteAndCheckpoint(db.get());
  const OrderMonitor::Pages old = monitor_.PinDurable();
  const Snapshot snapshot = db->GetSnapshot();
  WriteAndCheckpoint(db.get());
  WriteAndCheckpoint(db.get());
  EXPECT_EQ(monitor_.failure(), "");
  const OrderMonitor::Pages newest = monitor_.PinDurable();
  size_t id = 0;
  while (!(*old)[id] || (id < newest->size() && (*newest)[id])) ASSERT_LT(++id, old->size());
  ASSERT_TRUE(StoreFile()->WriteAt(id * kPageBytes, std::string(kPageBytes, 'x')).ok());
  EXPECT_THAT(monitor_.failure(), HasSubstr("reached by a pinned generation"));
}

// The store is opened on a header whose sync failed: that is what the Snapshot is of, and the pages
// of the durable one are free when the newer one is durable.
TEST_F(OrderMonitorTest, ASnapshotOfAHeaderThatIsNotDurableYetDoesNotHoldTheOneBefore) {
  {
    const auto db = Open(monitor_.env());
    WriteAndCheckpoint(db.get());
    FaultRule rule;
    rule.matches = [](FileOp op, std::string_view path) {
      return op == FileOp::kSyncData && path == kPath;
    };
    rule.skip = 1;  // that of the pages
    rule.count = 1;
    disk_.AddRule(std::move(rule));
    Write(db.get());
    EXPECT_FALSE(db->Checkpoint().ok());
  }
  const auto db = Open(monitor_.env());
  const OrderMonitor::Pages pages = monitor_.PinDurable();
  const Snapshot snapshot = db->GetSnapshot();
  for (int i = 0; i < 3; ++i) WriteAndCheckpoint(db.get());
  EXPECT_EQ(monitor_.failure(), "");
}

// What the Db does when nothing is pinned is the same, and allowed.
TEST_F(OrderMonitorTest, APageThatNobodyReachesMayBeOverwritten) {
  const auto db = Open(monitor_.env());
  WriteAndCheckpoint(db.get());
  OrderMonitor::Pages old = monitor_.PinDurable();
  WriteAndCheckpoint(db.get());
  const OrderMonitor::Pages newest = monitor_.PinDurable();
  size_t id = 0;
  while (!(*old)[id] || (id < newest->size() && (*newest)[id])) ASSERT_LT(++id, old->size());
  old.reset();
  ASSERT_TRUE(StoreFile()->WriteAt(id * kPageBytes, std::string(kPageBytes, 'x')).ok());
  EXPECT_EQ(monitor_.failure(), "");
}

}  // namespace
}  // namespace emdb
