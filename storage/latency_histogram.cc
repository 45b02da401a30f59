#include "storage/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace emdb {

uint64_t LatencyHistogram::PercentileNanos(double fraction) const {
  const double wanted = std::ceil(fraction * static_cast<double>(count));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen > 0 && static_cast<double>(seen) >= wanted) return uint64_t{2} << i;
  }
  return 0;
}

void AtomicHistogram::Record(uint64_t nanos) {
  const size_t bucket = static_cast<size_t>(std::bit_width(nanos | 1)) - 1;
  buckets_[std::min(bucket, buckets_.size() - 1)].fetch_add(1, std::memory_order_relaxed);
  total_nanos_.fetch_add(nanos, std::memory_order_relaxed);
  uint64_t max = max_nanos_.load(std::memory_order_relaxed);
  while (nanos > max && !max_nanos_.compare_exchange_weak(max, nanos, std::memory_order_relaxed)) {
  }
}

void AtomicHistogram::AddTo(LatencyHistogram* out) const {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const uint64_t n = buckets_[i].load(std::memory_order_relaxed);
    out->buckets[i] += n;
    out->count += n;
  }
  out->total_nanos += total_nanos_.load(std::memory_order_relaxed);
  out->max_nanos = std::max(out->max_nanos, max_nanos_.load(std::memory_order_relaxed));
}

}  // namespace emdb
