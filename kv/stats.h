// Stats: what a Db has done since it was opened and what it holds now. Plain values, a copy.

#ifndef EMDB_KV_STATS_H_
#define EMDB_KV_STATS_H_

#include <cstdint>
#include <string>

#include "pagestore/page_store.h"
#include "storage/latency_histogram.h"
#include "wal/wal.h"

namespace emdb {

struct Stats {
  // Calls; gets count the keys of a MultiGet. Of calls of Get and unsynced writes one in 64 is
  // timed; commits, checkpoints and stalls all are.
  uint64_t puts = 0;  // operations, those in batches included
  uint64_t deletes = 0;
  uint64_t gets = 0;
  uint64_t gets_found = 0;
  uint64_t iterators = 0;
  LatencyHistogram get_latency;
  LatencyHistogram write_latency;   // unsynced writes
  LatencyHistogram commit_latency;  // writes that waited for durability

  // Sequence numbers.
  uint64_t next_seq = 0;
  uint64_t visible_seq = 0;
  uint64_t durable_seq = 0;
  uint64_t checkpoint_seq = 0;

  // Memory.
  uint64_t memtable_bytes = 0;    // active and frozen
  uint64_t memtable_records = 0;  // versions, deletions included
  uint64_t frozen_memtables = 0;
  uint64_t live_snapshots = 0;  // snapshots and iterators

  // Live keys, without a search for any. Exact, as of checkpoint_seq: page_store.records, while
  // page_store.slice_records is 0. With the memtables an estimate, which leaves slices out: of each
  // key that is in a memtable it supposes that the first put there made it and the first deletion
  // took it away, so that what overwrites keys of the page store makes it too high, and deletions
  // of what is not there too low, by one for each such key.
  uint64_t estimated_records = 0;

  // Background.
  uint64_t checkpoints = 0;
  LatencyHistogram checkpoint_duration;
  uint64_t checkpoint_failures = 0;
  LatencyHistogram write_stalls;  // waits of writes, because checkpoints had fallen behind

  // What the last open did.
  uint64_t recovered_records = 0;  // log records applied
  uint64_t recovery_nanos = 0;

  WalStats wal;
  WalRecovery wal_recovery;
  PageStoreStats page_store;

  // For people, one item a line.
  std::string ToString() const;
};

}  // namespace emdb

#endif  // EMDB_KV_STATS_H_
