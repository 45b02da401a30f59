// LogSnapshot: what a log held at one moment, as pieces of segments and of memory, and the reading
// of it. It keeps what it refers to, so truncation does not disturb it.

#ifndef EMDB_WAL_LOG_SNAPSHOT_H_
#define EMDB_WAL_LOG_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "wal/frame_reader.h"
#include "wal/options.h"
#include "wal/segment.h"

namespace emdb {

struct LogPiece {
  FrameRange range;
  std::shared_ptr<const Segment> segment;  // null: `bytes` are those of the range
  std::string bytes;
};

struct LogSnapshot {
  std::string path;  // of the log, for messages
  uint64_t first_seq = 0;
  std::vector<LogPiece> pieces;  // in order of seq, without gaps
};

// Calls `visit` for the records of `piece` with a seq of at least `from_seq`, in order. DataLoss,
// naming the file (of a piece in memory: `path`), if a frame is damaged.
absl::Status ReplayPiece(const LogPiece& piece, std::string_view path, uint64_t from_seq,
                         WalVisitor visit);

// Wal::Replay on `snapshot`. Not under a lock that `visit` may need.
absl::Status ReplaySnapshot(const LogSnapshot& snapshot, uint64_t from_seq, WalVisitor visit);

}  // namespace emdb

#endif  // EMDB_WAL_LOG_SNAPSHOT_H_
