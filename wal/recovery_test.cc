#include "wal/recovery.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/log_files.h"
#include "wal/log_finder.h"
#include "wal/record_format.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

class RecoveryTest : public testing::Test {
 protected:
  void UseDisk(const DiskImage& image) {
    env_ = std::make_unique<FaultEnv>(image);
    files_ = *LogFiles::Open(env_.get(), kPath);
  }

  RecoveredLog Recover() {
    const WalOptions options = SmallLog(env_.get());
    absl::StatusOr<FoundLog> found = FindLog(files_.get(), options, nullptr);
    EXPECT_OK(found.status());
    absl::StatusOr<RecoveredLog> log = RecoverLog(files_.get(), options, *std::move(found));
    EXPECT_OK(log.status());
    return *std::move(log);
  }

  // A log with `records` records, none of them flushed by its user, as a killed process leaves it.
  static DiskImage Killed(uint64_t records) {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, records);
    return env.FullImage();
  }

  std::unique_ptr<FaultEnv> env_;
  std::unique_ptr<LogFiles> files_;
};

TEST_F(RecoveryTest, NewLogIsOneDurableSegment) {
  UseDisk(DiskImage());
  const RecoveredLog log = Recover();
  ASSERT_EQ(log.segments.size(), 1u);
  EXPECT_TRUE(log.segments.front()->state().is_first);
  EXPECT_EQ(log.next_seq, 0u);
  EXPECT_NE(log.buffer, nullptr);
  UseDisk(env_->SyncedImage());
  EXPECT_EQ(Recover().next_seq, 0u);
}

TEST_F(RecoveryTest, TailIsDurableAndFollowedByASegmentWithANewSalt) {
  UseDisk(Killed(20));
  const RecoveredLog log = Recover();
  ASSERT_EQ(log.segments.size(), 2u);
  EXPECT_FALSE(log.was_closed);
  EXPECT_EQ(log.next_seq, 20u);
  EXPECT_EQ(log.segments.back()->header().first_seq, 20u);
  EXPECT_EQ(log.end_lsn, log.segments.back()->header().base_lsn);
  EXPECT_NE(log.segments.back()->header().salt, NextSalt(log.segments.front()->header().salt));
  UseDisk(env_->SyncedImage());
  EXPECT_EQ(Recover().next_seq, 20u);
}

TEST_F(RecoveryTest, SegmentWithoutRecordsIsReplaced) {
  UseDisk(Killed(0));
  const RecoveredLog log = Recover();
  ASSERT_EQ(log.segments.size(), 1u);
  EXPECT_TRUE(log.segments.front()->state().is_first);
  EXPECT_EQ(log.segments.front()->header().number, 1u);
}

TEST_F(RecoveryTest, SegmentsThatWereBegunInTheBufferOnlyAreMade) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  // So that nothing gets to the files, and appends go on in the buffer.
  env.AddRule({.matches = [](FileOp op, std::string_view path) {
    return op == FileOp::kWrite && path == kPath;
  }});
  AppendRecords(wal.get(), 0, 10);
  ASSERT_EQ(*wal->Rotate(), 10u);
  AppendRecords(wal.get(), 10, 20);
  UseDisk(env.FullImage());
  const RecoveredLog log = Recover();
  EXPECT_EQ(log.next_seq, 20u);
  ASSERT_EQ(log.segments.size(), 3u);
  EXPECT_EQ(log.segments[1]->header().salt, NextSalt(log.segments[0]->header().salt));
  EXPECT_EQ(log.segments[1]->header().first_seq, 10u);
}

TEST_F(RecoveryTest, ClosedLogIsTakenAsItIs) {
  FaultEnv env(Killed(20));
  { OpenLog(kPath, SmallLog(&env)); }
  UseDisk(env.FullImage());
  const RecoveredLog log = Recover();
  EXPECT_TRUE(log.was_closed);
  EXPECT_EQ(log.next_seq, 20u);
  EXPECT_EQ(log.end_lsn, log.segments.back()->state().end_lsn);
  // But for the buffer, which is mapped.
  EXPECT_LE(env_->OperationCount(), 1u);
}

TEST_F(RecoveryTest, LeftoversAreRemoved) {
  DiskImage image = Killed(20);
  image.files["/d/log.spare.7"].Write(0, "left by a crash");
  UseDisk(image);
  Recover();
  EXPECT_FALSE(env_->FullImage().files.contains("/d/log.spare.7"));
}

}  // namespace
}  // namespace emdb
