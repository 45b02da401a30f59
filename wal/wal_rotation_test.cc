// Segments: when they end, what is dropped, what is used again.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

std::vector<std::string> FilesOf(FaultEnv* env) {
  std::vector<std::string> paths;
  for (const auto& [path, contents] : env->FullImage().files) paths.push_back(path);
  return paths;
}

TEST(WalRotationTest, RotateReturnsTheFirstSeqOfTheNextSegment) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  EXPECT_EQ(*wal->Rotate(), 10u);
  AppendRecords(wal.get(), 10, 20);
  EXPECT_EQ(*wal->Rotate(), 20u);
  ASSERT_OK(wal->TruncateBefore(0));
  EXPECT_EQ(wal->stats().segments_live, 3u);
  ExpectRecords(wal.get(), 0, 20);
}

TEST(WalRotationTest, RotatingAnEmptySegmentChangesNothing) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  EXPECT_EQ(*wal->Rotate(), 0u);
  AppendRecords(wal.get(), 0, 10);
  EXPECT_EQ(*wal->Rotate(), 10u);
  EXPECT_EQ(*wal->Rotate(), 10u);
  ASSERT_OK(wal->TruncateBefore(0));
  EXPECT_EQ(wal->stats().segments_live, 2u);
}

TEST(WalRotationTest, SealedSegmentIsNamedByItsFirstSeq) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 10, 20);
  ASSERT_OK(wal->Rotate().status());
  ASSERT_OK(wal->Close());
  EXPECT_EQ(FilesOf(&env),
            (std::vector<std::string>{"/d/log", "/d/log.00000000000000000000",
                                      "/d/log.00000000000000000010", "/d/log.buffer"}));
}

// Holds the syncs of the log's segments back, but not those of the thread that made it: it is the
// one that must not sync.
class SyncHold {
 public:
  explicit SyncHold(FaultEnv* env) : env_(env) {
    env->SetObserver([this](const FaultEnv::TraceEntry& entry) {
      if (entry.op != FileOp::kSyncData || !entry.path.ends_with("spare.0")) return;
      EXPECT_NE(std::this_thread::get_id(), maker_);
      holds_ = true;
      while (!released_ && std::this_thread::get_id() != maker_) std::this_thread::yield();
    });
  }
  ~SyncHold() { Release(); }
  void AwaitSync() const {
    while (!holds_) std::this_thread::yield();
  }
  void Release() {
    released_ = true;
    env_->SetObserver(nullptr);
  }

 private:
  FaultEnv* const env_;
  const std::thread::id maker_ = std::this_thread::get_id();
  std::atomic<bool> holds_{false};
  std::atomic<bool> released_{false};
};

TEST(WalRotationTest, RotateAndAppendsBehindItWaitForNoSync) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  const uint64_t syncs_before = wal->stats().syncs;
  SyncHold hold(&env);
  EXPECT_EQ(*wal->Rotate(), 10u);
  AppendRecords(wal.get(), 10, 20);
  EXPECT_EQ(wal->stats().syncs, syncs_before);
  EXPECT_EQ(wal->durable_seq(), 0u);
  // The background has begun it.
  hold.AwaitSync();
  AppendRecords(wal.get(), 20, 30);
  EXPECT_EQ(*wal->Rotate(), 30u);
  AppendRecords(wal.get(), 30, 40);
  EXPECT_EQ(wal->stats().syncs, syncs_before);
  EXPECT_EQ(wal->durable_seq(), 0u);
  hold.Release();
  ASSERT_OK(wal->Flush());
  ExpectRecords(wal.get(), 0, 40);
}

TEST(WalRotationTest, AppendersDoNotWaitForTheSyncOfTruncateBefore) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 10);
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 10, 20);
  ASSERT_OK(wal->Flush());
  std::atomic<bool> syncing{false};
  std::atomic<bool> appended{false};
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kSyncData || syncing.exchange(true)) return;
    while (!appended) std::this_thread::yield();
  });
  std::thread truncator([&] { EXPECT_OK(wal->TruncateBefore(10)); });
  while (!syncing) std::this_thread::yield();
  AppendRecords(wal.get(), 20, 30);
  // It has not come to its end.
  EXPECT_EQ(wal->first_seq(), 0u);
  appended = true;
  truncator.join();
  env.SetObserver(nullptr);
  EXPECT_EQ(wal->first_seq(), 10u);
  ExpectRecords(wal.get(), 10, 30);
}

// A log of the default sizes, whose first segments have room for about 1 MiB.
WalOptions LogOfDefaultSizes(FaultEnv* env) {
  WalOptions options;
  options.flush_policy = FlushPolicy::Manual();
  options.env = env;
  return options;
}

// For more than that, and little enough for the append buffer.
constexpr size_t kLargerThanFirstSegment = 3 << 19;

void ExpectSizesAfterKill(const DiskImage& image, const std::vector<size_t>& sizes) {
  FaultEnv after_kill(image);
  const auto wal = OpenLog(kPath, LogOfDefaultSizes(&after_kill));
  ASSERT_NE(wal, nullptr);
  std::vector<size_t> found;
  for (const auto& [seq, record] : ReadLog(wal.get())) found.push_back(record.size());
  EXPECT_EQ(found, sizes);
}

TEST(WalRotationTest, RecordTooLargeForASegmentThatCouldNotBeMadeYetSurvivesAKill) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, LogOfDefaultSizes(&env));
  ASSERT_OK(wal->Append("x").status());
  // From here on nothing is written unless somebody needs it.
  env.AddRule(
      {.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; }, .count = 1});
  EXPECT_FALSE(wal->Flush().ok());
  ASSERT_OK(wal->Rotate().status());
  ASSERT_OK(wal->Append(std::string(kLargerThanFirstSegment, 'y')).status());
  ExpectSizesAfterKill(env.FullImage(), {1, kLargerThanFirstSegment});
}

TEST(WalRotationTest, RecordTooLargeForASegmentBegunDuringASyncSurvivesAKill) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, LogOfDefaultSizes(&env));
  ASSERT_OK(wal->Append("x").status());
  std::atomic<bool> syncing{false};
  std::atomic<bool> appended{false};
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kSyncData || syncing.exchange(true)) return;
    // Until the append is done, or waits for this.
    while (!appended && wal->stats().append_waits == 0) std::this_thread::yield();
  });
  std::thread flusher([&] { EXPECT_OK(wal->Flush()); });
  while (!syncing) std::this_thread::yield();
  EXPECT_EQ(*wal->Rotate(), 1u);
  EXPECT_EQ(*wal->Append(std::string(kLargerThanFirstSegment, 'y')), 1u);
  const DiskImage image = env.FullImage();
  appended = true;
  flusher.join();
  env.SetObserver(nullptr);
  ExpectSizesAfterKill(image, {1, kLargerThanFirstSegment});
}

TEST(WalRotationTest, FullSegmentsAreSealed) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 5000);
  ASSERT_OK(wal->Flush());
  EXPECT_GT(wal->stats().segments_live, 10u);
  ExpectRecords(wal.get(), 0, 5000);
}

TEST(WalRotationTest, TruncateBeforeDropsWholeSegmentsOnly) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < 50; n += 10) {
    AppendRecords(wal.get(), n, n + 10);
    ASSERT_OK(wal->Rotate().status());
  }
  ASSERT_OK(wal->TruncateBefore(25));
  EXPECT_EQ(wal->first_seq(), 20u);
  ExpectRecords(wal.get(), 20, 50);
  const absl::Status status =
      wal->Replay(19, [](uint64_t, std::string_view) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsOutOfRange(status));
  EXPECT_NE(status.message().find("20"), absl::string_view::npos) << status;
  ASSERT_OK(wal->TruncateBefore(UINT64_MAX));
  EXPECT_EQ(wal->first_seq(), 50u);
  EXPECT_TRUE(ReadLog(wal.get()).empty());
  EXPECT_EQ(*wal->Append(TestRecord(50)), 50u);
}

TEST(WalRotationTest, TruncationIsRememberedByReopening) {
  FaultEnv env;
  {
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 10);
    const uint64_t seq = *wal->Rotate();
    AppendRecords(wal.get(), 10, 20);
    ASSERT_OK(wal->TruncateBefore(seq));
  }
  const auto wal = OpenLog(kPath, SmallLog(&env));
  EXPECT_EQ(wal->first_seq(), 10u);
  ExpectRecords(wal.get(), 10, 20);
}

TEST(WalRotationTest, DroppedSegmentsAreUsedAgain) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  uint64_t n = 0;
  for (int i = 0; i < 20; ++i) {
    AppendRecords(wal.get(), n, n + 300);
    n += 300;
    ASSERT_OK(wal->TruncateBefore(*wal->Rotate()));
  }
  EXPECT_GT(wal->stats().segments_recycled, 10u);
  ExpectRecords(wal.get(), n, n);
  AppendRecords(wal.get(), n, n + 300);
  ASSERT_OK(wal->Flush());
  ExpectRecords(wal.get(), n, n + 300);
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), n, n + 300);
}

TEST(WalRotationTest, FileThatCannotBeDroppedKeepsNoOther) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < 50; n += 10) {
    AppendRecords(wal.get(), n, n + 10);
    ASSERT_OK(wal->Rotate().status());
  }
  ASSERT_OK(wal->TruncateBefore(0));
  const std::string sealed = "/d/log.0000";
  const auto count_sealed = [&] {
    const std::vector<std::string> files = FilesOf(&env);
    return std::count_if(files.begin(), files.end(),
                         [&](const std::string& path) { return path.starts_with(sealed); });
  };
  ASSERT_EQ(count_sealed(), 5);
  env.AddRule({.matches =
                   [&](FileOp op, std::string_view path) {
                     const bool drops = op == FileOp::kRename || op == FileOp::kRemove;
                     return drops && path.starts_with(sealed);
                   },
               .count = 1});
  EXPECT_TRUE(absl::IsUnavailable(wal->TruncateBefore(50)));
  EXPECT_EQ(count_sealed(), 1);
  EXPECT_EQ(wal->first_seq(), 50u);
  AppendRecords(wal.get(), 50, 60);
  ASSERT_OK(wal->Close());
  ExpectRecords(OpenLog(kPath, SmallLog(&env)).get(), 50, 60);
  EXPECT_EQ(count_sealed(), 0);
}

TEST(WalRotationTest, ReplayThatBeganBeforeTruncationSeesAllItsRecords) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 400);
  uint64_t seen = 0;
  EXPECT_OK(wal->Replay(0, [&](uint64_t seq, std::string_view record) {
    EXPECT_EQ(record, TestRecord(seq));
    if (seq == 10) {
      EXPECT_OK(wal->TruncateBefore(*wal->Rotate()));
      // Would overwrite a segment that was recycled under the reader.
      AppendRecords(wal.get(), 400, 2000);
      EXPECT_OK(wal->Flush());
    }
    ++seen;
    return absl::OkStatus();
  }));
  EXPECT_EQ(seen, 400u);
}

TEST(WalRotationTest, TruncateRemovesSealedSegments) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 2000);
  ASSERT_OK(wal->Truncate(7));
  // A power cut brings none of them back to take space.
  for (const auto& [path, contents] : env.SyncedImage().files) {
    EXPECT_FALSE(path.starts_with("/d/log.0")) << path;
  }
  AppendRecords(wal.get(), 7, 20);
  ASSERT_OK(wal->Close());
  EXPECT_EQ(FilesOf(&env), (std::vector<std::string>{"/d/log", "/d/log.buffer"}));
  ExpectRecords(OpenLog(kPath, SmallLog(&env)).get(), 7, 20);
}

TEST(WalRotationTest, NothingInANewSegmentIsAcknowledgedBeforeItsNameIsDurable) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  for (uint64_t n = 0; n < 1000; ++n) {
    AppendRecords(wal.get(), n, n + 1);
    if (n % 97 != 0) continue;
    FaultEnv after_power_cut(env.SyncedImage());
    ExpectRecords(OpenLog(kPath, SmallLog(&after_power_cut)).get(), 0, n + 1);
  }
}

TEST(WalRotationTest, SegmentsOfALargeLogGrowToFullSize) {
  FaultEnv env;
  WalOptions options = SmallLog(&env);
  options.segment_size_bytes = 8 << 20;
  options.append_buffer_size_bytes = 1 << 20;
  const auto wal = OpenLog(kPath, options);
  const std::string record(4000, 'x');
  for (int i = 0; i < 5000; ++i) ASSERT_OK(wal->Append(record).status());
  ASSERT_OK(wal->Close());
  const DiskImage image = env.FullImage();
  EXPECT_EQ(image.files.at("/d/log.00000000000000000000").size(), 1u << 20);
  EXPECT_EQ(image.files.at("/d/log").size(), 8u << 20);
}

// Sizes of the files of the log, but for the append buffer's.
uint64_t BytesOf(FaultEnv* env) {
  uint64_t bytes = 0;
  for (const auto& [path, contents] : env->FullImage().files) {
    if (!path.ends_with("buffer")) bytes += contents.size();
  }
  return bytes;
}

WalOptions MiddleSizedLog(FaultEnv* env) {
  WalOptions options = SmallLog(env);
  options.segment_size_bytes = 16 << 20;
  options.append_buffer_size_bytes = 1 << 20;
  return options;
}

void AppendBytes(Wal* wal, uint64_t bytes) {
  const std::string record(4000, 'x');
  for (uint64_t done = 0; done < bytes; done += record.size()) {
    ASSERT_OK(wal->Append(record).status());
  }
}

TEST(WalRotationTest, SegmentsThatAreEndedEarlyDoNotGrow) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, MiddleSizedLog(&env));
  for (int i = 0; i < 20; ++i) {
    AppendBytes(wal.get(), 100'000);
    ASSERT_OK(wal->Rotate().status());
  }
  ASSERT_OK(wal->TruncateBefore(0));
  EXPECT_EQ(wal->stats().segments_live, 21u);
  EXPECT_LE(BytesOf(&env), 22u << 20);
}

TEST(WalRotationTest, EmptyLogIsSmallAgain) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, MiddleSizedLog(&env));
  for (int round = 0; round < 3; ++round) {
    AppendBytes(wal.get(), 50 << 20);
    EXPECT_GT(BytesOf(&env), 50u << 20);
    ASSERT_OK(wal->TruncateBefore(*wal->Rotate()));
    EXPECT_LE(BytesOf(&env), 2u << 20);
    EXPECT_EQ(wal->first_seq(), wal->next_seq());
  }
  const uint64_t next = wal->next_seq();
  AppendRecords(wal.get(), next, next + 10);
  ASSERT_OK(wal->Flush());
  FaultEnv after_power_cut(env.SyncedImage());
  ExpectRecords(OpenLog(kPath, MiddleSizedLog(&after_power_cut)).get(), next, next + 10);
}

TEST(WalRotationTest, TruncatedLogIsSmallAgain) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, MiddleSizedLog(&env));
  AppendBytes(wal.get(), 50 << 20);
  ASSERT_OK(wal->Truncate(7));
  EXPECT_LE(BytesOf(&env), 2u << 20);
}

TEST(WalRotationTest, LogThatIsRotatedUnderLoadUsesItsFilesAgain) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, MiddleSizedLog(&env));
  AppendBytes(wal.get(), 50 << 20);
  ASSERT_OK(wal->TruncateBefore(wal->next_seq() - 1));
  const uint64_t created = wal->stats().segments_created;
  for (int i = 0; i < 10; ++i) {
    const uint64_t boundary = *wal->Rotate();
    AppendBytes(wal.get(), 10 << 20);
    ASSERT_OK(wal->TruncateBefore(boundary));
    EXPECT_LE(BytesOf(&env), 3 * (16u << 20));
  }
  // None but the one that may have been asked for before.
  EXPECT_LE(wal->stats().segments_created, created + 2);
  EXPECT_GE(wal->stats().segments_recycled, 8u);
}

TEST(WalRotationTest, NoSpaceForASmallSegmentLeavesTheLogInTheLargeOne) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, MiddleSizedLog(&env));
  AppendBytes(wal.get(), 30 << 20);
  const uint64_t boundary = *wal->Rotate();
  constexpr int kNoSpace = 28;  // ENOSPC
  env.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kReserve; },
               .error_number = kNoSpace});
  ASSERT_OK(wal->TruncateBefore(boundary));
  env.ClearRules();
  AppendRecords(wal.get(), boundary, boundary + 10);
  ASSERT_OK(wal->Flush());
  ExpectRecords(wal.get(), boundary, boundary + 10);
}

}  // namespace
}  // namespace emdb
