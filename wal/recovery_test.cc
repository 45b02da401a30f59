#include "wal/recovery.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "storage/crash_chooser.h"
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

  // Recovers the log on `env` as an earlier process left it, with what that had not synced, and
  // checks that whatever a power cut leaves, behind any change of names on the way, is a log that
  // ends at `next_seq`.
  void ExpectEveryCutKeeps(FaultEnv* env, uint64_t next_seq) {
    std::vector<DiskImage> images;
    env->SetObserver([env, &images](const FaultEnv::TraceEntry& entry) {
      const bool changes_names =
          entry.op == FileOp::kCreate || entry.op == FileOp::kRename || entry.op == FileOp::kRemove;
      if (!changes_names) return;
      ExhaustiveChooser chooser;
      do {
        images.push_back(env->CrashImage(&chooser));
      } while (chooser.Next());
    });
    {
      const auto files = *LogFiles::Open(env, kPath);
      const WalOptions options = SmallLog(env);
      absl::StatusOr<FoundLog> found = FindLog(files.get(), options, nullptr);
      ASSERT_OK(found.status());
      ASSERT_OK(RecoverLog(files.get(), options, *std::move(found)).status());
    }
    env->SetObserver(nullptr);
    ASSERT_FALSE(images.empty());
    for (const DiskImage& image : images) {
      UseDisk(image);
      const absl::StatusOr<FoundLog> found = FindLog(files_.get(), SmallLog(env_.get()), nullptr);
      ASSERT_OK(found.status());
      ASSERT_EQ(found->next_seq, next_seq);
    }
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

// The witnesses in the buffer say that the damaged place was durable.
TEST_F(RecoveryTest, DamageThatTheBufferMakesUpForIsMendedInTheFile) {
  DiskImage image;
  {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    for (uint64_t n = 0; n < 3; ++n) {
      ASSERT_OK(wal->Append(std::string(5000, static_cast<char>('a' + n))).status());
      ASSERT_OK(wal->Flush());
    }
    image = env.FullImage();
  }
  constexpr uint64_t kInFirstRecord = 4096 + 100;
  ASSERT_EQ(image.files[kPath].Read(kInFirstRecord, 1), "a");
  image.files[kPath].Write(kInFirstRecord, "x");
  FaultEnv env(image);
  for (int opens = 0; opens < 2; ++opens) {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    ASSERT_NE(wal, nullptr);
    const std::map<uint64_t, std::string> records = ReadLog(wal.get());
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records.at(0), std::string(5000, 'a'));
  }
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
  env.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; }});
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
  // But for a sync of the directory, and the buffer, which is mapped.
  EXPECT_LE(env_->OperationCount(), 2u);
}

// A rotation that ended between its renames left the old segment's sealed name, not durable. It
// must not be lost when the new segment gets the name that the old one then still has.
TEST_F(RecoveryTest, NamesThatWereFoundAreDurableBeforeTheyAreBuiltUpon) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 10);
    ASSERT_OK(wal->Flush());
    env.AddRule(
        {.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncDirectory; }});
    ASSERT_OK(wal->Rotate().status());
    ASSERT_FALSE(wal->TruncateBefore(0).ok());
  }
  env.ClearRules();
  ASSERT_FALSE(env.FullImage().files.contains(kPath));
  ExpectEveryCutKeeps(&env, 10);
}

// A truncation ended when it had marked the first segment, not durably. Those in front of it must
// not go before the mark is durable.
TEST_F(RecoveryTest, FirstMarkThatWasFoundIsDurableBeforeSegmentsAreRemoved) {
  for (const bool drop_unsynced : {false, true}) {
    FaultEnv env;
    {
      const auto wal = OpenLog(kPath, SmallLog(&env));
      AppendRecords(wal.get(), 0, 10);
      ASSERT_OK(wal->Rotate().status());
      AppendRecords(wal.get(), 10, 20);
      ASSERT_OK(wal->Flush());
      FaultRule rule;
      rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncData; };
      rule.drop_unsynced = drop_unsynced;
      env.AddRule(rule);
      ASSERT_FALSE(wal->TruncateBefore(10).ok());
    }
    env.ClearRules();
    ASSERT_FALSE(
        FindLog(LogFiles::Open(&env, kPath)->get(), SmallLog(&env), nullptr)->superseded.empty());
    ExpectEveryCutKeeps(&env, 20);
  }
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
