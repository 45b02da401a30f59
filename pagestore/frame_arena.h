// FrameArena: memory for page frames, in huge pages where the system gives them (a random access
// into a large arena costs a third less), and taken from the system only as frames are touched.

#ifndef EMDB_PAGESTORE_FRAME_ARENA_H_
#define EMDB_PAGESTORE_FRAME_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/fresh_memory.h"

namespace emdb {

class FrameArena {
 public:
  // At least one frame, at most 2^31 - 1. ResourceExhausted if the process may not have that much.
  static absl::StatusOr<FrameArena> Create(size_t size_bytes, uint32_t frame_size);
  // The error that Create would have now, or a PageCache, which needs a little more beside the
  // frames. Takes nothing.
  static absl::Status CheckRoom(size_t size_bytes);
  FrameArena(FrameArena&&) = default;

  uint32_t frame_count() const { return frame_count_; }
  char* frame(uint32_t index) const { return base_ + uint64_t{index} * frame_size_; }
  uint32_t IndexOf(const char* frame) const {
    return static_cast<uint32_t>(static_cast<uint64_t>(frame - base_) / frame_size_);
  }

 private:
  FrameArena(uint32_t frame_size, uint32_t frame_count, FreshMemory memory)
      : frame_size_(frame_size),
        frame_count_(frame_count),
        memory_(std::move(memory)),
        base_(memory_.data()) {}

  const uint32_t frame_size_;
  const uint32_t frame_count_;
  FreshMemory memory_;
  char* const base_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FRAME_ARENA_H_
