// WalStats and WalRecovery: what a log counts, and what opening it found. Plain values.

#ifndef EMDB_WAL_STATS_H_
#define EMDB_WAL_STATS_H_

#include <cstdint>

#include "storage/latency_histogram.h"

namespace emdb {

// Counters since Open; each is exact, together they are not one moment's.
struct WalStats {
  uint64_t records_appended = 0;
  uint64_t bytes_appended = 0;  // of records, without frames
  uint64_t bytes_written = 0;   // to segments, with frames, padding and rewritten blocks
  uint64_t syncs = 0;           // fdatasyncs of segments
  uint64_t groups = 0;          // that made at least one record durable
  uint64_t records_synced = 0;
  LatencyHistogram sync_latency;  // of all of them
  uint64_t append_waits = 0;      // appends that found the buffer full
  uint64_t segments_created = 0;
  uint64_t segments_recycled = 0;
  uint64_t segments_live = 0;  // now, the active one included
};

// What Open found.
struct WalRecovery {
  uint64_t first_seq = 0;  // of what is kept
  uint64_t records = 0;
  uint64_t records_from_buffer = 0;  // of them, in the append buffer only
  uint64_t segments = 0;
  uint64_t bytes_cut = 0;  // torn tail: record bytes passed over
  bool was_clean = false;  // the log had been closed
};

}  // namespace emdb

#endif  // EMDB_WAL_STATS_H_
