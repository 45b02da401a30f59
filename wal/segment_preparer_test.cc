#include "wal/segment_preparer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "storage/no_new_threads.h"
#include "wal/log_files.h"
#include "wal/segment.h"

namespace emdb {
namespace {

constexpr uint64_t kFull = (256 << 10) - 4096;
constexpr uint64_t kSmall = (64 << 10) - 4096;

class SegmentPreparerTest : public testing::Test {
 protected:
  SegmentPreparerTest()
      : files_(*LogFiles::Open(&env_, "/d/log")),
        preparer_(files_.get(), Segment::Access::kBuffered) {}

  std::shared_ptr<Segment> Take(uint64_t min_bytes) {
    std::shared_ptr<Segment> segment;
    while (segment == nullptr) {
      EXPECT_EQ(preparer_.Await({.min_bytes = min_bytes, .good_bytes = kSmall}), absl::OkStatus());
      segment = preparer_.TryTake(min_bytes);
    }
    return segment;
  }

  FaultEnv env_;
  std::unique_ptr<LogFiles> files_;
  SegmentPreparer preparer_;
};

TEST_F(SegmentPreparerTest, NothingIsMadeBeforeItIsAskedFor) {
  EXPECT_EQ(preparer_.TryTake(0), nullptr);
  EXPECT_TRUE(env_.FullImage().files.empty());
}

TEST_F(SegmentPreparerTest, SegmentHasTheSizeThatWasAskedFor) {
  EXPECT_EQ(Take(0)->header().capacity_bytes, kSmall);
  preparer_.Request(kFull);
  EXPECT_EQ(Take(0)->header().capacity_bytes, kFull);
  EXPECT_EQ(preparer_.counts().created, 2u);
}

TEST_F(SegmentPreparerTest, LargerOneIsMadeForALargeRecord) {
  preparer_.Request(kSmall);
  const std::shared_ptr<Segment> segment = Take(1'000'000);
  EXPECT_GE(segment->header().capacity_bytes, 1'000'000u);
  // The one that was too small is gone.
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
}

TEST_F(SegmentPreparerTest, NoSpaceIsReportedAndTriedAgain) {
  env_.SetCapacity(1000);
  EXPECT_TRUE(absl::IsResourceExhausted(preparer_.Await({.good_bytes = kSmall})));
  EXPECT_TRUE(absl::IsResourceExhausted(preparer_.Await({.good_bytes = kSmall})));
  EXPECT_TRUE(env_.FullImage().files.empty());
  env_.SetCapacity(UINT64_MAX);
  EXPECT_NE(Take(0), nullptr);
}

TEST_F(SegmentPreparerTest, AThreadThatCannotBeStartedIsReportedAndTriedAgain) {
  {
    const NoNewThreads none;
    preparer_.Request(kSmall);
    EXPECT_TRUE(absl::IsResourceExhausted(preparer_.Await({.good_bytes = kSmall})));
    EXPECT_EQ(preparer_.TryTake(0), nullptr);
    EXPECT_TRUE(env_.FullImage().files.empty());
  }
  EXPECT_NE(Take(0), nullptr);
}

TEST_F(SegmentPreparerTest, OfferedSegmentIsUsedAgain) {
  ASSERT_TRUE(preparer_.HasPlace());
  const std::shared_ptr<Segment> old = Take(kFull);
  ASSERT_TRUE(preparer_.Offer(old));
  EXPECT_FALSE(preparer_.HasPlace());
  EXPECT_FALSE(preparer_.Offer(old));
  EXPECT_EQ(Take(0), old);
  EXPECT_EQ(preparer_.counts().recycled, 1u);
}

TEST_F(SegmentPreparerTest, SegmentsThatAreTooLargeAreGivenBack) {
  const std::shared_ptr<Segment> large = Take(kFull);
  ASSERT_EQ(preparer_.Await({.good_bytes = kSmall}), absl::OkStatus());
  ASSERT_TRUE(preparer_.Offer(large));
  EXPECT_EQ(env_.FullImage().files.size(), 2u);
  preparer_.GiveBack({.max_capacity_bytes = kSmall});
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
  EXPECT_EQ(Take(0)->header().capacity_bytes, kSmall);
}

TEST_F(SegmentPreparerTest, LargeOneGivenBackWhileItIsMadeIsNotTakenForASmallOne) {
  std::atomic<bool> was_given_back{false};
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kCreate || was_given_back) return;
    preparer_.GiveBack({.max_capacity_bytes = kSmall});
    preparer_.Request(kSmall);
    was_given_back = true;
  });
  preparer_.Request(kFull);
  while (!was_given_back) std::this_thread::yield();
  EXPECT_EQ(Take(0)->header().capacity_bytes, kSmall);
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
  env_.SetObserver(nullptr);
}

// Who appends waits for the mutex, and must not wait for the disk: each of these would wait for
// ever if it were held.
TEST_F(SegmentPreparerTest, TooSmallOneIsRemovedWithoutTheMutex) {
  int removed = 0;
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kRemove) return;
    EXPECT_EQ(preparer_.TryTake(kFull), nullptr);
    ++removed;
  });
  ASSERT_EQ(preparer_.Await({.good_bytes = kSmall}), absl::OkStatus());
  EXPECT_GE(Take(kFull)->header().capacity_bytes, kFull);
  env_.SetObserver(nullptr);
  EXPECT_EQ(removed, 1);
}

TEST_F(SegmentPreparerTest, OneGivenBackWhileItIsMadeIsRemovedWithoutTheMutex) {
  std::atomic<bool> was_removed{false};
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kCreate) preparer_.GiveBack({.max_capacity_bytes = kSmall});
    if (entry.op != FileOp::kRemove) return;
    EXPECT_EQ(preparer_.TryTake(0), nullptr);
    was_removed = true;
  });
  preparer_.Request(kFull);
  while (!was_removed) std::this_thread::yield();
  env_.SetObserver(nullptr);
}

TEST_F(SegmentPreparerTest, OneThatTakesNoZerosIsRemovedWithoutTheMutex) {
  env_.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; }});
  std::atomic<bool> was_removed{false};
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kRemove) return;
    EXPECT_EQ(preparer_.TryTake(0), nullptr);
    was_removed = true;
  });
  preparer_.Request(kSmall);
  while (!was_removed) std::this_thread::yield();
  env_.SetObserver(nullptr);
  env_.ClearRules();
  EXPECT_NE(Take(0), nullptr);
}

TEST_F(SegmentPreparerTest, OneGivenBackWhileItGetsZerosIsDroppedOnce) {
  std::atomic<int> removed{0};
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kWrite) preparer_.GiveBack({.max_capacity_bytes = 0});
    if (entry.op == FileOp::kRemove && entry.ok) ++removed;
  });
  preparer_.Request(kFull);
  while (removed == 0) std::this_thread::yield();
  env_.SetObserver(nullptr);
  EXPECT_NE(Take(0), nullptr);
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
  EXPECT_EQ(removed, 1);
}

TEST_F(SegmentPreparerTest, OnlyOneIsKeptIfOneIsEnough) {
  const std::shared_ptr<Segment> old = Take(kFull);
  ASSERT_EQ(preparer_.Await({.good_bytes = kFull}), absl::OkStatus());
  ASSERT_TRUE(preparer_.Offer(old));
  preparer_.GiveBack({.max_capacity_bytes = kFull});
  EXPECT_EQ(env_.FullImage().files.size(), 2u);
  preparer_.GiveBack({.max_capacity_bytes = kFull, .only_one = true});
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
  EXPECT_EQ(Take(0), old);
}

TEST_F(SegmentPreparerTest, ZerosAreSyncedPieceByPiece) {
  constexpr int kPieces = 4;
  std::atomic<int> writes{0};
  std::atomic<int> syncs{0};
  env_.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kSyncData) ++syncs;
    if (entry.op != FileOp::kWrite) return;
    EXPECT_EQ(syncs.load(), writes.load());
    ++writes;
  });
  preparer_.Request(kPieces * (256 << 10));
  while (writes < kPieces) std::this_thread::yield();
  preparer_.Stop();
  EXPECT_EQ(writes.load(), kPieces);
  EXPECT_EQ(syncs.load(), kPieces);
  env_.SetObserver(nullptr);
}

TEST_F(SegmentPreparerTest, StopRemovesWhatWasNotTaken) {
  EXPECT_EQ(preparer_.Await({.good_bytes = kSmall}), absl::OkStatus());
  preparer_.Stop();
  EXPECT_TRUE(env_.FullImage().files.empty());
  EXPECT_EQ(preparer_.TryTake(0), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(preparer_.Await({.good_bytes = kSmall})));
}

}  // namespace
}  // namespace emdb
