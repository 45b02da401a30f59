// FindLog: the first step of opening a log. It finds the segments that belong together and where
// the log ends, and has the records redone. It changes nothing on disk, and whatever refuses a log
// refuses it here; what comes after it (recovery.h) can only fail for errors of the disk.
//
// Each record that is redone is read once: those of a log that was not closed while its end is
// looked for.

#ifndef EMDB_WAL_LOG_FINDER_H_
#define EMDB_WAL_LOG_FINDER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "wal/log_files.h"
#include "wal/log_snapshot.h"
#include "wal/options.h"
#include "wal/segment.h"
#include "wal/tail_scan.h"

namespace emdb {

struct FoundLog {
  LogFiles::Listing listing;
  std::deque<std::shared_ptr<Segment>> segments;  // oldest first; none: there is no log
  std::vector<std::string> superseded;            // files in front of them, left by a crash
  bool was_closed = false;  // and not used since: it ends where the last segment's state says
  uint64_t next_seq = 0;
  TailScan tail;  // if it was not closed: of the last segment
  BufferImage buffer;
};

// Finds the log of `files`; `redo`, if not null, visits its records. NotFound if there is none and
// none is to be made, FailedPrecondition, DataLoss, OutOfRange, errors of the visitor: see
// Wal::Open.
absl::StatusOr<FoundLog> FindLog(LogFiles* files, const WalOptions& options, const WalRedo* redo);

// All that `found` holds; errors of reading. It stays as it is while nobody writes to the log.
absl::StatusOr<LogSnapshot> SnapshotOf(const LogFiles& files, const FoundLog& found);

}  // namespace emdb

#endif  // EMDB_WAL_LOG_FINDER_H_
