#include "wal/segment_preparer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/fault_env.h"
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
        preparer_(files_.get(), Segment::Access::kBuffered, {kSmall, kFull}) {}

  std::shared_ptr<Segment> Take(uint64_t min_bytes) {
    std::shared_ptr<Segment> segment;
    while (segment == nullptr) {
      EXPECT_EQ(preparer_.Await(min_bytes), absl::OkStatus());
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

TEST_F(SegmentPreparerTest, SegmentsGrowToFullSize) {
  EXPECT_EQ(Take(0)->header().capacity_bytes, kSmall);
  EXPECT_EQ(Take(0)->header().capacity_bytes, 4 * kSmall);
  EXPECT_EQ(Take(0)->header().capacity_bytes, kFull);
  EXPECT_EQ(Take(0)->header().capacity_bytes, kFull);
  EXPECT_EQ(preparer_.counts().created, 4u);
}

TEST_F(SegmentPreparerTest, LargerOneIsMadeForALargeRecord) {
  preparer_.Request();
  const std::shared_ptr<Segment> segment = Take(1'000'000);
  EXPECT_GE(segment->header().capacity_bytes, 1'000'000u);
  // The one that was too small is gone.
  EXPECT_EQ(env_.FullImage().files.size(), 1u);
}

TEST_F(SegmentPreparerTest, NoSpaceIsReportedAndTriedAgain) {
  env_.SetCapacity(1000);
  EXPECT_TRUE(absl::IsResourceExhausted(preparer_.Await(0)));
  EXPECT_TRUE(absl::IsResourceExhausted(preparer_.Await(0)));
  EXPECT_TRUE(env_.FullImage().files.empty());
  env_.SetCapacity(UINT64_MAX);
  EXPECT_NE(Take(0), nullptr);
}

TEST_F(SegmentPreparerTest, FullSizedSegmentIsUsedAgain) {
  EXPECT_FALSE(preparer_.Wants(kSmall));
  ASSERT_TRUE(preparer_.Wants(kFull));
  const std::shared_ptr<Segment> old = Take(kFull);
  ASSERT_TRUE(preparer_.Offer(old));
  EXPECT_FALSE(preparer_.Wants(kFull));
  EXPECT_EQ(Take(0), old);
  EXPECT_EQ(preparer_.counts().recycled, 1u);
}

TEST_F(SegmentPreparerTest, StopRemovesWhatWasNotTaken) {
  EXPECT_EQ(preparer_.Await(0), absl::OkStatus());
  preparer_.Stop();
  EXPECT_TRUE(env_.FullImage().files.empty());
  EXPECT_EQ(preparer_.TryTake(0), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(preparer_.Await(0)));
}

}  // namespace
}  // namespace emdb
