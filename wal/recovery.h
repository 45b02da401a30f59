// RecoverLog: opens the files of a log, or makes them, and leaves a log that can be appended to.
//
// A closed log costs a few reads, whatever its size. Of one that was not closed the tail is found
// (tail_scan.h), made durable, since what was read of it may have been in the page cache only, and
// followed by a new segment with a new random salt, so that no byte behind the tail can ever be
// read as part of the log. The append buffer's file is not touched before all that it held is
// durable, so a crash in here loses nothing.
//
// It comes in two steps. The first only reads: it finds what there is and where the log ends, and
// has the records redone; whatever refuses the log does so here. The second makes the log one that
// can be appended to.

#ifndef EMDB_WAL_RECOVERY_H_
#define EMDB_WAL_RECOVERY_H_

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/statusor.h"
#include "wal/log_files.h"
#include "wal/log_snapshot.h"
#include "wal/options.h"
#include "wal/segment.h"
#include "wal/wal.h"

namespace emdb {

struct RecoveredLog {
  std::deque<std::shared_ptr<Segment>> segments;  // oldest first; the last one is active
  uint64_t end_lsn = 0;                           // of the stream in the last segment
  uint64_t end_salt = 0;                          // of a frame there, if the log was closed
  uint64_t next_seq = 0;                          // of all, memory included
  std::unique_ptr<RingMapping> buffer;            // null: read-only
  LogSnapshot found;                              // read-only: all that there is
  WalRecovery report;
};

// The capacity of the first segment of a new log, and of the one behind a recovered tail: small,
// since it is overwritten with zeros while the caller waits.
uint64_t FirstCapacityBytes(const WalOptions& options);
// The capacity of segments of the full size.
uint64_t FullCapacityBytes(const WalOptions& options);

// Opens the log of `files`. Unless options.read_only, every record in it is durable on return, the
// append buffer's file may be overwritten, and leftovers are removed. `redo`, if not null, visits
// its records before that. NotFound, FailedPrecondition (another store, a newer format), DataLoss,
// OutOfRange, errors of the visitor: see Wal::Open; nothing was changed then.
absl::StatusOr<RecoveredLog> RecoverLog(LogFiles* files, const WalOptions& options,
                                        const WalRedo* redo);

}  // namespace emdb

#endif  // EMDB_WAL_RECOVERY_H_
