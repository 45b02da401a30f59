// SegmentWriter: the I/O of a running log: writes the stream into the active segment, starts the
// next one, and tells errors after which the log can go on from those after which it cannot.
//
// For the owner of the log's I/O (commit_queue.h), without the log's mutex; the counters may be
// read by anybody.

#ifndef EMDB_WAL_SEGMENT_WRITER_H_
#define EMDB_WAL_SEGMENT_WRITER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/latency_histogram.h"
#include "wal/log_files.h"
#include "wal/record_format.h"
#include "wal/segment.h"
#include "wal/segment_chain.h"

namespace emdb {

class SegmentWriter {
 public:
  // `active` is in place and all in it is durable. `files` must outlive it.
  SegmentWriter(LogFiles* files, std::shared_ptr<Segment> active);

  // Goes on with an active segment that is marked as closed: takes the mark away and writes a
  // resume frame at its end, in one sync; either may reach the disk without the other. `blocks` are
  // the bytes from the start of that block, `salt` is that of what follows.
  absl::Status Resume(std::string_view blocks, uint64_t salt);

  // Writes [from_lsn, end); see Segment::Write for `blocks`.
  absl::Status Write(uint64_t from_lsn, std::string_view blocks);

  // A frame that is longer than the append buffer.
  struct LongFrame {
    uint64_t lsn = 0;
    FrameHeader header;  // complete, with its checksum
    std::string_view payload;
  };
  // Writes `frame` in pieces. `before` are the bytes from the start of its block to it; on return
  // *last_block are those from the start of the last block to its end.
  absl::Status WriteFrame(const LongFrame& frame, std::string_view before, std::string* last_block);

  // Durable on return: everything written.
  absl::Status Sync();

  // Makes everything written durable, then `next`, with `header`, the active segment.
  absl::Status Start(std::shared_ptr<Segment> next, const SegmentHeader& header);
  // Puts `next` with `header` in place of all there is.
  absl::Status StartOver(std::shared_ptr<Segment> next, const SegmentHeader& header);

  // Marks `segment` as the first of the log; durable on return.
  absl::Status MarkFirst(Segment* segment);
  // Makes everything written durable, then marks the active segment as closed at `end`; durable on
  // return. `salt` is that of a frame there.
  absl::Status MarkClosed(const SegmentEnd& end, uint64_t salt);

  // True after an error of a sync, or of putting a segment in place: what is on disk is not known
  // any more, and nothing may be acknowledged. After other errors the call can be made again.
  bool failed() const { return failed_; }

  const std::shared_ptr<Segment>& active() const { return active_; }
  uint64_t last_sync_nanos() const { return last_sync_nanos_; }

  struct Counts {
    std::atomic<uint64_t> bytes_written{0};
    AtomicHistogram sync_latency;
  };
  const Counts& counts() const { return counts_; }

 private:
  // Passes `status` on; an error is final.
  absl::Status Final(absl::Status status);
  absl::Status SyncSegment(Segment* segment);
  absl::Status WriteHeader(Segment* next, const SegmentHeader& header, bool is_first);

  LogFiles* const files_;
  std::shared_ptr<Segment> active_;
  bool dirty_ = false;  // written since the last sync
  bool failed_ = false;
  uint64_t last_sync_nanos_ = 0;
  Counts counts_;
};

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_WRITER_H_
