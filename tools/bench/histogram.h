// Histogram: latencies in nanoseconds, in buckets of at most 1.6% width. Recording is a few
// instructions and allocates nothing. One thread at a time; threads fill one each and merge.

#ifndef EMDB_TOOLS_BENCH_HISTOGRAM_H_
#define EMDB_TOOLS_BENCH_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace emdb::bench {

struct LatencySummary {
  uint64_t count = 0;
  uint64_t p50_ns = 0;
  uint64_t p90_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t p999_ns = 0;
  uint64_t p9999_ns = 0;
  uint64_t max_ns = 0;
};

class Histogram {
 public:
  void Record(uint64_t nanos);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // The middle of the bucket of the value that `fraction` (0 to 1) of the values do not exceed; 0
  // if there is none.
  uint64_t Percentile(double fraction) const;
  LatencySummary Summarize() const;

 private:
  // Below 64 a bucket a value, then 64 buckets a power of two, up to 2^40 ns (18 minutes).
  static constexpr int kSubBits = 6;
  static constexpr int kMaxBits = 40;
  static constexpr size_t kBuckets = size_t{kMaxBits - kSubBits + 1} << kSubBits;

  static size_t BucketOf(uint64_t nanos);
  static uint64_t MiddleOf(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_HISTOGRAM_H_
