#include "pagestore/frame_arena.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace emdb {
namespace {

// Reads ahead of a cell's end may touch bytes behind the last frame.
constexpr size_t kSlack = 4096;

FreshMemory Map(size_t size) {
  absl::StatusOr<FreshMemory> memory = FreshMemory::Map(size, "memory for page frames");
  EMDB_CHECK(memory.ok());
  memory->PreferHugePages(0);
  return *std::move(memory);
}

}  // namespace

FrameArena::FrameArena(size_t size_bytes, uint32_t frame_size)
    : frame_size_(frame_size),
      frame_count_(
          static_cast<uint32_t>(std::clamp<size_t>(size_bytes / frame_size, 1, INT32_MAX))),
      memory_(Map(size_t{frame_count_} * frame_size + kSlack)),
      base_(memory_.data()) {}

}  // namespace emdb
