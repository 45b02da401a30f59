#include "tools/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace emdb::bench {

size_t Histogram::BucketOf(uint64_t nanos) {
  nanos = std::min(nanos, (uint64_t{1} << kMaxBits) - 1);
  const int width = std::bit_width(nanos);
  if (width <= kSubBits) return nanos;
  // The leading 1 is implied by the power; the kSubBits behind it choose the bucket.
  const int shift = width - kSubBits - 1;
  const uint64_t sub = (nanos >> shift) - (uint64_t{1} << kSubBits);
  return (static_cast<size_t>(shift + 1) << kSubBits) + sub;
}

uint64_t Histogram::MiddleOf(size_t bucket) {
  const size_t power = bucket >> kSubBits;
  const uint64_t sub = bucket & ((size_t{1} << kSubBits) - 1);
  if (power == 0) return sub;
  const int shift = static_cast<int>(power) - 1;
  const uint64_t low = ((uint64_t{1} << kSubBits) + sub) << shift;
  return low + (uint64_t{1} << shift) / 2;
}

void Histogram::Record(uint64_t nanos) {
  ++buckets_[BucketOf(nanos)];
  ++count_;
  max_ = std::max(max_, nanos);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::Percentile(double fraction) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min(MiddleOf(i), max_);
  }
  return max_;
}

LatencySummary Histogram::Summarize() const {
  return {.count = count_,
          .p50_ns = Percentile(0.5),
          .p90_ns = Percentile(0.9),
          .p99_ns = Percentile(0.99),
          .p999_ns = Percentile(0.999),
          .p9999_ns = Percentile(0.9999),
          .max_ns = max_};
}

}  // namespace emdb::bench
