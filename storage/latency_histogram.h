// LatencyHistogram: how long something took, counted in powers of two. AtomicHistogram: one that
// threads record in.

#ifndef EMDB_STORAGE_LATENCY_HISTOGRAM_H_
#define EMDB_STORAGE_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstdint>

namespace emdb {

// A plain value. Bucket i counts the durations of [2^i, 2^(i+1)) ns, the first one also shorter
// ones, the last one also longer ones.
struct LatencyHistogram {
  std::array<uint64_t, 40> buckets{};
  uint64_t count = 0;
  uint64_t total_nanos = 0;
  uint64_t max_nanos = 0;

  uint64_t mean_nanos() const { return count == 0 ? 0 : total_nanos / count; }
  // The upper end of the bucket that holds the given fraction (0 to 1) of the counts.
  uint64_t PercentileNanos(double fraction) const;
};

// Thread safe. Relaxed atomics: each number is exact, together they are not of one moment.
class AtomicHistogram {
 public:
  void Record(uint64_t nanos);
  void AddTo(LatencyHistogram* out) const;

 private:
  std::array<std::atomic<uint64_t>, LatencyHistogram{}.buckets.size()> buckets_{};
  std::atomic<uint64_t> total_nanos_{0};
  std::atomic<uint64_t> max_nanos_{0};
};

}  // namespace emdb

#endif  // EMDB_STORAGE_LATENCY_HISTOGRAM_H_
