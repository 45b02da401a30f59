// Statistics: what a Db counts while it runs. Counters of the hot paths are kept per thread, so
// that a read writes to no cache line that other threads write to; a sum over the threads is made
// when somebody asks.
//
// Thread safe. Relaxed atomics throughout: each number is exact, together they are not of one
// moment.

#ifndef EMDB_KV_STATISTICS_H_
#define EMDB_KV_STATISTICS_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "kv/stats.h"
#include "storage/latency_histogram.h"

namespace emdb {

class Counter {
 public:
  // Returns the count before.
  uint64_t Add(uint64_t n = 1) { return value_.fetch_add(n, std::memory_order_relaxed); }
  // As Add, where nobody else adds at the same time. An atomic addition would wait for all loads
  // and stores before it, and keep those of the next call waiting.
  uint64_t AddAlone(uint64_t n) {
    const uint64_t before = Get();
    value_.store(before + n, std::memory_order_relaxed);
    return before;
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Statistics {
 public:
  // Of gets and unsynced writes one in this many is timed.
  static constexpr uint64_t kSampling = 64;

  struct alignas(64) Shard {
    Counter puts;
    Counter deletes;
    Counter writes;  // calls
    Counter gets;
    Counter gets_found;
    Counter iterators;
    AtomicHistogram get_latency;
    AtomicHistogram write_latency;
    bool is_shared = false;

    // Adds to one of the counters above. Returns the count before.
    uint64_t Count(Counter* counter, uint64_t n = 1) const {
      return is_shared ? counter->Add(n) : counter->AddAlone(n);
    }
  };

  Statistics() : shards_(new Shard[kOwnedShards + 1]) { shards_[kOwnedShards].is_shared = true; }

  // The calling thread's own; if more than kOwnedShards threads are alive, some share one.
  Shard& shard();

  // Of a write that was to be durable, whatever became of it.
  void RecordCommit(uint64_t start_nanos, uint64_t end_nanos) {
    commit_latency_.Record(end_nanos - start_nanos);
    last_commit_nanos_.store(end_nanos, std::memory_order_relaxed);
  }
  // When the last of them ended, by Env::NowNanos; 0: there was none.
  uint64_t last_commit_nanos() const { return last_commit_nanos_.load(std::memory_order_relaxed); }

  AtomicHistogram checkpoint_duration;
  AtomicHistogram write_stalls;
  Counter checkpoints;
  Counter checkpoint_failures;

  // Adds everything above to *out.
  void AddTo(Stats* out) const;

 private:
  static constexpr size_t kOwnedShards = 64;

  const std::unique_ptr<Shard[]> shards_;
  AtomicHistogram commit_latency_;
  std::atomic<uint64_t> last_commit_nanos_{0};
};

}  // namespace emdb

#endif  // EMDB_KV_STATISTICS_H_
