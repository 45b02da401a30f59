// FrameReader: reads the frames of one segment one after another, from where they are kept or from
// memory, and tells a frame that is intact and follows the one before from everything else.
//
// Not thread safe; several readers of one source do not disturb each other.

#ifndef EMDB_WAL_FRAME_READER_H_
#define EMDB_WAL_FRAME_READER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/aligned_buffer.h"
#include "wal/record_format.h"
#include "wal/stream_source.h"

namespace emdb {

struct Frame {
  FrameHeader header;
  std::string_view payload;  // valid until the next call of the reader
};

// A piece of the stream within one segment: [begin_lsn, end_lsn), whose first frame takes or
// announces `seq`.
struct FrameRange {
  uint64_t salt = 0;  // of the first frame
  uint64_t begin_lsn = 0;
  uint64_t end_lsn = 0;
  uint64_t seq = 0;
};

class FrameReader {
 public:
  // Reads from `source`, which has the range, and must outlive it.
  FrameReader(const StreamSource* source, const FrameRange& range);
  // Reads from `bytes`, those of the range, which must outlive it.
  FrameReader(std::string_view bytes, const FrameRange& range);

  // Reads the next frame. False at the end of the range, or when no intact frame with the expected
  // seq is there: what was expected and found is then in problem(). An error is one of reading the
  // source.
  absl::StatusOr<bool> Next(Frame* frame);

  // Reads the frame at `lsn` >= this->lsn() whatever its seq, without moving on; false if it is not
  // intact or its seq is not in [min_seq, max_seq].
  absl::StatusOr<bool> Peek(uint64_t lsn, uint64_t min_seq, uint64_t max_seq, Frame* frame);
  // The same for frames without a seq of their own, which are all of the same few bytes.
  absl::StatusOr<bool> PeekNumber(uint64_t lsn, uint64_t min_seq, uint64_t max_seq, Frame* frame);

  // Where the next frame is, or should be.
  uint64_t lsn() const { return lsn_; }
  // The seq the next record should have.
  uint64_t seq() const { return seq_; }
  // The salt the next frame should have.
  uint64_t salt() const { return salt_; }
  bool AtEnd() const { return lsn_ == range_.end_lsn; }
  // How many bytes were compared with a checksum: what looks like a frame costs as much as one.
  uint64_t bytes_checked() const { return bytes_checked_; }
  // Why the last Next was false before the end.
  const std::string& problem() const { return problem_; }

 private:
  // Makes [lsn, lsn + size), within the range, part of the window.
  absl::Status Fill(uint64_t lsn, uint64_t size);
  const char* At(uint64_t lsn) const { return window_.data() + (lsn - window_lsn_); }
  absl::StatusOr<bool> ReadAt(uint64_t lsn, Frame* frame);
  // Of the frame whose header was read at `lsn`.
  absl::StatusOr<bool> CheckAt(uint64_t lsn, Frame* frame);

  const StreamSource* const source_;  // null: all is in the window
  const FrameRange range_;
  uint64_t lsn_;
  uint64_t seq_;
  uint64_t salt_;
  uint64_t bytes_checked_ = 0;
  AlignedBuffer buffer_;
  std::string_view window_;
  uint64_t window_lsn_;
  std::string problem_;
};

}  // namespace emdb

#endif  // EMDB_WAL_FRAME_READER_H_
