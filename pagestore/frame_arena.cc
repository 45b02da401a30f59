#include "pagestore/frame_arena.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {
namespace {

// Reads ahead of a cell's end may touch bytes behind the last frame.
constexpr size_t kSlack = 4096;

absl::StatusOr<FreshMemory> Map(size_t bytes, size_t size_bytes) {
  absl::StatusOr<FreshMemory> memory = FreshMemory::Map(bytes, "memory for page frames");
  if (memory.ok()) return memory;
  return absl::Status(
      memory.status().code(),
      absl::StrCat("a page cache of ", size_bytes,
                   " bytes (cache_size): ", memory.status().message(),
                   "; ask for a smaller one, or let the process have more addresses (ulimit -v)"));
}

}  // namespace

absl::Status FrameArena::CheckRoom(size_t size_bytes) {
  constexpr size_t kAllAddresses = size_t{1} << 47;
  const size_t frames = std::min(size_bytes, kAllAddresses);
  // For arrays with an element for each frame, and for how they are aligned.
  const size_t beside = frames / 256 + (size_t{16} << 20);
  return Map(frames + beside, size_bytes).status();
}

absl::StatusOr<FrameArena> FrameArena::Create(size_t size_bytes, uint32_t frame_size) {
  const uint32_t frame_count =
      static_cast<uint32_t>(std::clamp<size_t>(size_bytes / frame_size, 1, INT32_MAX));
  EMDB_ASSIGN_OR_RETURN(FreshMemory memory,
                        Map(size_t{frame_count} * frame_size + kSlack, size_bytes));
  memory.PreferHugePages(0);
  return FrameArena(frame_size, frame_count, std::move(memory));
}

}  // namespace emdb
