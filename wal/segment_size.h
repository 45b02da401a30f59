// SegmentSize: how large the next segment of a log is made, by how full the ones before were.
//
// A log begins small. A segment that was filled by half or more is followed by one four times as
// large, up to the full size; one that was hardly used by one of a quarter. So a log that is
// written fast rotates seldom, and one that holds little takes little of the disk.
//
// Plain value, not thread safe.

#ifndef EMDB_WAL_SEGMENT_SIZE_H_
#define EMDB_WAL_SEGMENT_SIZE_H_

#include <algorithm>
#include <cstdint>

#include "wal/segment_format.h"

namespace emdb {

class SegmentSize {
 public:
  struct Limits {
    uint64_t first_capacity_bytes = 0;  // of the first segment; no smaller one is made
    uint64_t full_capacity_bytes = 0;
  };

  SegmentSize(const Limits& limits, uint64_t capacity_bytes)
      : limits_(limits), capacity_(Within(capacity_bytes)) {}

  // The capacity that suits the log now.
  uint64_t capacity_bytes() const { return capacity_; }
  uint64_t first_capacity_bytes() const { return limits_.first_capacity_bytes; }
  // The capacity that would suit it if the segment at hand ended with `used_bytes` in it.
  uint64_t CapacityAfter(uint64_t used_bytes) const {
    const uint64_t file_bytes = capacity_ + kSegmentBlockBytes;
    if (used_bytes >= capacity_ / 2) return Within(kFactor * file_bytes - kSegmentBlockBytes);
    if (used_bytes < capacity_ / kHardlyUsed) {
      return Within(RoundUpToBlock(file_bytes / kFactor) - kSegmentBlockBytes);
    }
    return capacity_;
  }
  // The segment at hand ended with `used_bytes` in it.
  void NoteEnd(uint64_t used_bytes) { capacity_ = CapacityAfter(used_bytes); }
  // The log was emptied.
  void StartOver() { capacity_ = limits_.first_capacity_bytes; }

  // True for a spare file that can be the next segment, and is not far too large for it.
  bool Suits(uint64_t spare_capacity_bytes) const {
    return spare_capacity_bytes >= capacity_ && spare_capacity_bytes <= max_spare_bytes();
  }
  // One size more than the log needs: a single segment that was hardly used means nothing yet.
  uint64_t max_spare_bytes() const {
    return Within(kFactor * (capacity_ + kSegmentBlockBytes) - kSegmentBlockBytes);
  }

 private:
  static constexpr uint64_t kFactor = 4;
  static constexpr uint64_t kHardlyUsed = 16;

  uint64_t Within(uint64_t capacity_bytes) const {
    return std::clamp(capacity_bytes, limits_.first_capacity_bytes, limits_.full_capacity_bytes);
  }

  Limits limits_;
  uint64_t capacity_;
};

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_SIZE_H_
