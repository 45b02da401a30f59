#include "pagestore/frame_arena.h"

#include <sys/mman.h>

#include <algorithm>

#include "storage/check.h"

namespace emdb {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Reads ahead of a cell's end may touch bytes behind the last frame.
constexpr size_t kSlack = 4096;

void* Map(size_t bytes) {
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EMDB_CHECK(mapping != MAP_FAILED);
  return mapping;
}

char* AlignToHugePage(void* p) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  return static_cast<char*>(p) + ((kHugePage - address % kHugePage) % kHugePage);
}

}  // namespace

FrameArena::FrameArena(size_t size_bytes, uint32_t frame_size)
    : frame_size_(frame_size),
      frame_count_(
          static_cast<uint32_t>(std::clamp<size_t>(size_bytes / frame_size, 1, INT32_MAX))),
      mapped_bytes_(size_t{frame_count_} * frame_size + kSlack + kHugePage),
      mapping_(Map(mapped_bytes_)),
      base_(AlignToHugePage(mapping_)) {
  // Only advice: without huge pages everything works, a little slower.
  (void)madvise(base_, size_t{frame_count_} * frame_size, MADV_HUGEPAGE);
}

FrameArena::~FrameArena() {
  // Fails only for arguments that mmap did not return.
  (void)munmap(mapping_, mapped_bytes_);
}

}  // namespace emdb
