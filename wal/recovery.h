// RecoverLog: the second step of opening a log, behind FindLog: makes of what was found, or of
// nothing, a log that can be appended to.
//
// What the log was found by is made durable first: names, and the mark of the first segment if
// there are files in front of it. A closed log is then taken as it is. The tail of one that was not
// is made durable, since what was read of it may have been in the page cache only, and followed by
// a new segment with a new random salt, so that no byte behind the tail can ever be read as part of
// the log. The append buffer's file is not touched before all that it held is durable, so a crash
// in here loses nothing.

#ifndef EMDB_WAL_RECOVERY_H_
#define EMDB_WAL_RECOVERY_H_

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/statusor.h"
#include "wal/log_files.h"
#include "wal/log_finder.h"
#include "wal/options.h"
#include "wal/segment.h"

namespace emdb {

struct RecoveredLog {
  std::deque<std::shared_ptr<Segment>> segments;  // oldest first; the last one is active
  uint64_t end_lsn = 0;                           // of the stream in the last segment
  uint64_t end_salt = 0;                          // of a frame there, if it was closed
  bool was_closed = false;
  uint64_t next_seq = 0;
  std::unique_ptr<RingMapping> buffer;
};

// The capacity of the first segment of a new log, and of the one behind a recovered tail: small,
// since it is overwritten with zeros while the caller waits.
uint64_t FirstCapacityBytes(const WalOptions& options);
// The capacity of segments of the full size.
uint64_t FullCapacityBytes(const WalOptions& options);

// Goes on with `found`, or makes a log if there is none. On return every record in it is durable,
// the append buffer's file may be overwritten, and leftovers are removed.
absl::StatusOr<RecoveredLog> RecoverLog(LogFiles* files, const WalOptions& options, FoundLog found);

}  // namespace emdb

#endif  // EMDB_WAL_RECOVERY_H_
