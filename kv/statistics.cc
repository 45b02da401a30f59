#include "kv/statistics.h"

#include <algorithm>
#include <bit>

#include "storage/thread_ordinal.h"

namespace emdb {

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

Statistics::Shard& Statistics::shard() { return shards_[std::min(ThreadOrdinal(), kOwnedShards)]; }

void Statistics::AddTo(Stats* out) const {
  for (size_t i = 0; i <= kOwnedShards; ++i) {
    const Shard& shard = shards_[i];
    out->puts += shard.puts.Get();
    out->deletes += shard.deletes.Get();
    out->gets += shard.gets.Get();
    out->gets_found += shard.gets_found.Get();
    out->iterators += shard.iterators.Get();
    shard.get_latency.AddTo(&out->get_latency);
    shard.write_latency.AddTo(&out->write_latency);
  }
  commit_latency.AddTo(&out->commit_latency);
  checkpoint_duration.AddTo(&out->checkpoint_duration);
  out->checkpoints += checkpoints.Get();
  out->checkpoint_failures += checkpoint_failures.Get();
  out->write_stalls += write_stalls.Get();
  out->write_stall_nanos += write_stall_nanos.Get();
}

}  // namespace emdb
