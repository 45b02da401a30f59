#include "storage/latency_histogram.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(LatencyHistogramTest, DurationsGoToPowersOfTwo) {
  AtomicHistogram recorder;
  for (const uint64_t nanos : {0, 1, 2, 3, 4, 1023, 1024}) recorder.Record(nanos);
  recorder.Record(UINT64_MAX);  // beyond the last bucket: in the last bucket
  LatencyHistogram histogram;
  recorder.AddTo(&histogram);
  EXPECT_EQ(histogram.count, 8u);
  EXPECT_EQ(histogram.buckets[0], 2u);
  EXPECT_EQ(histogram.buckets[1], 2u);
  EXPECT_EQ(histogram.buckets[2], 1u);
  EXPECT_EQ(histogram.buckets[9], 1u);
  EXPECT_EQ(histogram.buckets[10], 1u);
  EXPECT_EQ(histogram.buckets.back(), 1u);
  EXPECT_EQ(histogram.max_nanos, UINT64_MAX);
}

TEST(LatencyHistogramTest, PercentilesAreUpperEndsOfBuckets) {
  AtomicHistogram recorder;
  for (int i = 0; i < 98; ++i) recorder.Record(100);
  for (int i = 0; i < 2; ++i) recorder.Record(5000);
  LatencyHistogram histogram;
  recorder.AddTo(&histogram);
  EXPECT_EQ(histogram.PercentileNanos(0.5), 128u);
  EXPECT_EQ(histogram.PercentileNanos(0.98), 128u);
  EXPECT_EQ(histogram.PercentileNanos(0.99), 8192u);
  EXPECT_EQ(histogram.PercentileNanos(1.0), 8192u);
  EXPECT_EQ(histogram.mean_nanos(), (98 * 100 + 2 * 5000) / 100u);
  EXPECT_EQ(LatencyHistogram().PercentileNanos(0.5), 0u);
  EXPECT_EQ(LatencyHistogram().mean_nanos(), 0u);
}

}  // namespace
}  // namespace emdb
