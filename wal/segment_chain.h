// How segments follow one another: the header of the next one, putting it in place, and finding on
// disk those that belong together. Described in wal/FORMAT.md, "The chain".

#ifndef EMDB_WAL_SEGMENT_CHAIN_H_
#define EMDB_WAL_SEGMENT_CHAIN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/log_files.h"
#include "wal/segment.h"

namespace emdb {

// A salt that was never used: for a segment that does not follow by rotation.
uint64_t RandomSalt(Env* env);

// The end of a segment's frames.
struct SegmentEnd {
  uint64_t lsn = 0;
  uint64_t seq = 0;  // behind its last record
};

// The header of the segment that follows the one with `old`, which ends at `end`. One without
// records is not followed but replaced: the new one takes its place in the chain.
SegmentHeader HeaderAfter(const SegmentHeader& old, const SegmentEnd& end, uint64_t salt,
                          uint64_t capacity_bytes);

// True if a segment with header `next`, made by HeaderAfter, replaces the one with `old`.
inline bool Replaces(const SegmentHeader& next, const SegmentHeader& old) {
  return next.number == old.number;
}

// Makes `next`, whose first block is durable, the active segment in place of `old` (null: there is
// none), whose frames are all durable, as are the names of the segments. On return the names are
// durable, and `old` is marked as sealed (which may not be durable). An error leaves the names in a
// state that opening understands.
absl::Status InstallSegment(LogFiles* files, Segment* old, Segment* next);

// The segments of a log on disk.
struct SegmentChain {
  std::deque<std::shared_ptr<Segment>> segments;  // oldest first
  std::vector<std::string> superseded;  // files in front of the first segment, left by a crash
};

// Opens the segments in `listing`, which names at least one, and checks that they form one chain of
// the log `store_id` (absent: any). DataLoss if one is missing, damaged, or not where its header
// says.
absl::StatusOr<SegmentChain> OpenChain(LogFiles* files, const LogFiles::Listing& listing,
                                       Segment::Access access,
                                       const std::optional<StoreId>& store_id);

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_CHAIN_H_
