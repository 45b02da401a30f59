// FrameArena: memory for page frames, in huge pages where the system gives them (a random access
// into a large arena costs a third less), and taken from the system only as frames are touched.

#ifndef EMDB_PAGESTORE_FRAME_ARENA_H_
#define EMDB_PAGESTORE_FRAME_ARENA_H_

#include <cstddef>
#include <cstdint>

#include "storage/fresh_memory.h"

namespace emdb {

class FrameArena {
 public:
  // At least one frame, at most 2^31 - 1.
  FrameArena(size_t size_bytes, uint32_t frame_size);
  FrameArena(const FrameArena&) = delete;
  FrameArena& operator=(const FrameArena&) = delete;

  uint32_t frame_count() const { return frame_count_; }
  char* frame(uint32_t index) const { return base_ + uint64_t{index} * frame_size_; }
  uint32_t IndexOf(const char* frame) const {
    return static_cast<uint32_t>(static_cast<uint64_t>(frame - base_) / frame_size_);
  }

 private:
  const uint32_t frame_size_;
  const uint32_t frame_count_;
  const FreshMemory memory_;
  char* const base_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FRAME_ARENA_H_
