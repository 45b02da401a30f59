#include "wal/segment_size.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace emdb {
namespace {

constexpr uint64_t Capacity(uint64_t mib) { return (mib << 20) - kSegmentBlockBytes; }

constexpr SegmentSize::Limits kLimits = {Capacity(1), Capacity(64)};

TEST(SegmentSizeTest, FilledSegmentsGrowToFullSize) {
  SegmentSize size(kLimits, Capacity(1));
  for (const uint64_t mib : {1, 4, 16, 64, 64}) {
    EXPECT_EQ(size.capacity_bytes(), Capacity(mib));
    size.NoteEnd(size.capacity_bytes() / 2);
  }
}

TEST(SegmentSizeTest, SegmentsThatAreEndedEarlyDoNotGrow) {
  SegmentSize size(kLimits, Capacity(1));
  for (int i = 0; i < 10; ++i) size.NoteEnd(Capacity(1) / 2 - 8);
  EXPECT_EQ(size.capacity_bytes(), Capacity(1));
}

TEST(SegmentSizeTest, SegmentsThatAreHardlyUsedShrinkToTheFirstSize) {
  SegmentSize size(kLimits, Capacity(64));
  for (const uint64_t mib : {64, 16, 4, 1, 1}) {
    EXPECT_EQ(size.capacity_bytes(), Capacity(mib));
    size.NoteEnd(1000);
  }
}

TEST(SegmentSizeTest, OneHardlyUsedSegmentDoesNotMakeAFullSpareTooLarge) {
  SegmentSize size(kLimits, Capacity(64));
  size.NoteEnd(1000);
  EXPECT_TRUE(size.Suits(Capacity(64)));
  size.NoteEnd(1000);
  EXPECT_FALSE(size.Suits(Capacity(64)));
  EXPECT_TRUE(size.Suits(Capacity(4)));
  EXPECT_FALSE(size.Suits(Capacity(1)));
}

TEST(SegmentSizeTest, SizesStayWithinTheLimits) {
  EXPECT_EQ(SegmentSize(kLimits, Capacity(300)).capacity_bytes(), Capacity(64));
  EXPECT_EQ(SegmentSize(kLimits, 4096).capacity_bytes(), Capacity(1));
  SegmentSize size(kLimits, Capacity(64));
  EXPECT_EQ(size.max_spare_bytes(), Capacity(64));
  size.StartOver();
  EXPECT_EQ(size.capacity_bytes(), Capacity(1));
}

}  // namespace
}  // namespace emdb
