#include "pagestore/frame_arena.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace emdb {
namespace {

// Reads ahead of a cell's end may touch bytes behind the last frame.
constexpr size_t kSlack = 4096;

}  // namespace

absl::StatusOr<FrameArena> FrameArena::Create(size_t size_bytes, uint32_t frame_size) {
  const uint32_t frame_count =
      static_cast<uint32_t>(std::clamp<size_t>(size_bytes / frame_size, 1, INT32_MAX));
  absl::StatusOr<FreshMemory> memory =
      FreshMemory::Map(size_t{frame_count} * frame_size + kSlack, "memory for page frames");
  if (!memory.ok()) {
    return absl::Status(memory.status().code(),
                        absl::StrCat("a page cache of ", size_bytes,
                                     " bytes (cache_size): ", memory.status().message(),
                                     "; ask for a smaller one, or let the process have more "
                                     "addresses (ulimit -v)"));
  }
  memory->PreferHugePages(0);
  return FrameArena(frame_size, frame_count, *std::move(memory));
}

}  // namespace emdb
