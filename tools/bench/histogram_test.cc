#include "tools/bench/histogram.h"

#include <cmath>
#include <memory>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

TEST(HistogramTest, EmptyOneIsAllZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), 0);
  EXPECT_EQ(histogram.Summarize().max_ns, 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 50; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Percentile(0.5), 25);
  EXPECT_EQ(histogram.Percentile(1), 50);
  EXPECT_EQ(histogram.Percentile(0), 1);
}

TEST(HistogramTest, LargeValuesAreWithinTwoPercent) {
  for (double value = 100; value < 1e12; value *= 1.37) {
    Histogram histogram;
    histogram.Record(1);
    histogram.Record(static_cast<uint64_t>(value));
    histogram.Record(static_cast<uint64_t>(value * 4));
    EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.5)), value, value * 0.02);
  }
}

TEST(HistogramTest, TheMaximumIsExactAndBoundsThePercentiles) {
  Histogram histogram;
  histogram.Record(123'456'789);
  EXPECT_EQ(histogram.Summarize().max_ns, 123'456'789);
  EXPECT_LE(histogram.Summarize().p999_ns, 123'456'789);
  histogram.Record(uint64_t{1} << 62);
  EXPECT_EQ(histogram.Summarize().max_ns, uint64_t{1} << 62);
}

TEST(HistogramTest, MergingIsLikeRecordingInOne) {
  Histogram left;
  Histogram right;
  Histogram both;
  for (uint64_t i = 0; i < 10'000; ++i) {
    (i % 3 == 0 ? left : right).Record(i * i);
    both.Record(i * i);
  }
  left.Merge(right);
  EXPECT_EQ(left.count(), both.count());
  for (const double fraction : {0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_EQ(left.Percentile(fraction), both.Percentile(fraction));
  }
}

}  // namespace
}  // namespace emdb::bench
