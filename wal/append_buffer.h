// AppendBuffer: the newest part of the log's stream, in the mapped file that a killed process
// leaves behind, and the place where the stream ends: lsn, seq and segment of the next frame.
//
// Byte L of the stream lies at ring offset L mod size, where it stays until the space is given free
// and used again. Not thread safe: the log's mutex guards it. The bytes below tail_lsn() do not
// change (but by Void), so that they may be read without the mutex by whoever makes sure that they
// are not given free.
//
// Invariants:
//  1. free_lsn() <= tail_lsn() <= free_lsn() + size - kSlackBytes, where bytes below free_lsn() are
//     given free.
//  2. free_lsn() is a multiple of kSegmentBlockBytes: what was written of the last block is kept,
//     since direct I/O writes it again.

#ifndef EMDB_WAL_APPEND_BUFFER_H_
#define EMDB_WAL_APPEND_BUFFER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "storage/file.h"
#include "wal/record_format.h"
#include "wal/segment_format.h"

namespace emdb {

// The segment that frames are appended to, as far as the appending side must know it.
struct TailSegment {
  uint64_t number = 0;
  uint64_t salt = 0;
  uint64_t first_seq = 0;
  uint64_t base_lsn = 0;
  uint64_t end_lsn = 0;  // of its room

  static TailSegment Of(const SegmentHeader& header) {
    return {header.number, header.salt, header.first_seq, header.base_lsn, header.end_lsn()};
  }
};

class AppendBuffer {
 public:
  enum class Fit { kFits, kBufferFull, kSegmentFull };

  // The stream ends at `lsn`, in `segment`; the next record gets `seq`.
  AppendBuffer(std::unique_ptr<RingMapping> ring, const TailSegment& segment, uint64_t lsn,
               uint64_t seq);

  // Whether a record of `payload_bytes` can be appended now. One with more than max_payload_bytes()
  // never can.
  Fit FitOf(uint64_t payload_bytes) const;
  uint64_t max_payload_bytes() const { return ring_->size() / 2; }

  // Appends a record, which fits, and returns its seq. `payload_crc` is the CRC32C of the payload.
  uint64_t AppendRecord(std::string_view payload, uint32_t payload_crc);
  // Appends a witness that seqs below `durable_seq` are durable; false if there is no room.
  bool AppendWitness(uint64_t durable_seq);
  // Appends a resume frame, for which there is room: what follows has `salt`.
  void AppendResume(uint64_t salt);
  // Takes note of a record that was written to the segment past the buffer, ending at `end_lsn`.
  // `last_block` are the bytes [RoundDownToBlock(end_lsn), end_lsn). Everything before it is free.
  void SkipRecord(uint64_t end_lsn, std::string_view last_block);
  // Copies `bytes` to [lsn, lsn + bytes.size()), below the tail.
  void Load(uint64_t lsn, std::string_view bytes);

  // True if a new segment can start behind the tail without filling the buffer.
  bool CanStartSegment() const;
  // What follows belongs to `segment`, whose base_lsn is next_base_lsn() or beyond.
  void StartSegment(const TailSegment& segment);
  uint64_t next_base_lsn() const { return RoundUpToBlock(tail_lsn_); }
  bool SegmentIsEmpty() const { return seq_ == segment_.first_seq; }

  // Gives the whole blocks below `lsn` free.
  void Free(uint64_t lsn) { free_lsn_ = RoundDownToBlock(lsn); }

  // Makes void records of all records in [begin_lsn, end_lsn), a range of whole frames under
  // `salt`.
  void Void(uint64_t begin_lsn, uint64_t end_lsn, uint64_t salt);

  // The bytes [begin_lsn, end_lsn), none of them given free.
  std::string_view View(uint64_t begin_lsn, uint64_t end_lsn) const {
    return std::string_view(At(begin_lsn), end_lsn - begin_lsn);
  }

  uint64_t tail_lsn() const { return tail_lsn_; }
  uint64_t next_seq() const { return seq_; }
  const TailSegment& segment() const { return segment_; }
  uint64_t size_bytes() const { return ring_->size(); }

 private:
  void AppendNumber(FrameKind kind, uint64_t number);

  // Kept free for a witness and for the gap in front of a new segment.
  static constexpr uint64_t kSlackBytes = 2 * kSegmentBlockBytes;

  char* At(uint64_t lsn) const { return ring_->data() + (lsn & (ring_->size() - 1)); }
  uint64_t limit_lsn() const { return free_lsn_ + ring_->size() - kSlackBytes; }

  const std::unique_ptr<RingMapping> ring_;
  TailSegment segment_;
  uint64_t tail_lsn_;
  uint64_t seq_;
  uint64_t free_lsn_;
};

}  // namespace emdb

#endif  // EMDB_WAL_APPEND_BUFFER_H_
