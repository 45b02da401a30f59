// The first block of a segment file: a header that is written once, and a state that changes.
// Described in wal/FORMAT.md, "Segment files". Pure functions, thread safe.

#ifndef EMDB_WAL_SEGMENT_FORMAT_H_
#define EMDB_WAL_SEGMENT_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "storage/store_id.h"

namespace emdb {

inline constexpr uint32_t kLogFormatVersion = 1;

// Size of the first block, and what a segment's base lsn and capacity are multiples of: with it,
// the offset of a frame within its block is the same in the file, in the stream and in the append
// buffer.
inline constexpr uint64_t kSegmentBlockBytes = 4096;

constexpr uint64_t RoundDownToBlock(uint64_t n) {
  return n / kSegmentBlockBytes * kSegmentBlockBytes;
}
constexpr uint64_t RoundUpToBlock(uint64_t n) {
  return RoundDownToBlock(n + kSegmentBlockBytes - 1);
}

// What to do about a damaged log: the advice that goes with most errors.
inline constexpr std::string_view kDamagedLogAdvice =
    "restore the log from a backup, or salvage what is left";

struct SegmentHeader {
  StoreId store_id{};
  uint64_t salt = 0;
  uint64_t number = 0;          // one more than the segment before
  uint64_t first_seq = 0;       // of its first record
  uint64_t base_lsn = 0;        // of its first frame
  uint64_t capacity_bytes = 0;  // of the stream that it has room for; the file has one block more
  uint64_t prev_salt = 0;       // of the segment before; 0 in the first of a log
  uint64_t prev_end_lsn = 0;    // behind the last frame of the segment before

  uint64_t end_lsn() const { return base_lsn + capacity_bytes; }
  uint64_t file_bytes() const { return kSegmentBlockBytes + capacity_bytes; }
};

enum class SegmentMark : uint32_t {
  kOpen = 1,    // frames are being added, or were when the process ended
  kClosed = 2,  // the log was closed: nothing follows
  kSealed = 3,  // the next segment is in place
};

struct SegmentState {
  SegmentMark mark = SegmentMark::kOpen;
  bool is_first = false;  // no segment before it is needed
  // Closed, sealed: where its frames end. Open: where the log was closed last, and went on with a
  // resume frame; 0 if it was not. All below is durable.
  uint64_t end_lsn = 0;
  uint64_t end_seq = 0;  // of the record behind
  uint64_t end_salt =
      0;  // closed: of a frame at end_lsn; open: of what is behind the resume frame; sealed: 0

  // True if the log went on at `lsn`, so that no frame can be there but the resume frame. An end
  // lsn of 0 alone says nothing: there is a place with that lsn, too.
  bool ResumesAt(uint64_t lsn) const {
    return mark == SegmentMark::kOpen && end_salt != 0 && end_lsn == lsn;
  }
};

// Writes the kSegmentBlockBytes at `to`.
void EncodeSegmentBlock(const SegmentHeader& header, const SegmentState& state, char* to);

// Reads the block `from` of the file `path`. DataLoss if it is damaged, FailedPrecondition, naming
// found and expected, if it is of a newer format.
absl::Status DecodeSegmentBlock(std::string_view from, std::string_view path, SegmentHeader* header,
                                SegmentState* state);

// The same for the header alone, whatever became of the state.
absl::Status DecodeSegmentHeader(std::string_view from, std::string_view path,
                                 SegmentHeader* header);

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_FORMAT_H_
