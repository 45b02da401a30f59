#include "storage/fresh_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "storage/check.h"
#include "storage/status.h"

namespace emdb {

absl::StatusOr<FreshMemory> FreshMemory::Map(size_t size, std::string_view purpose) {
  FreshMemory memory;
  memory.size_ = size;
  // What is too much is cut off at neither end: untouched, it costs nothing.
  memory.mapping_size_ = size < kHugePageBytes ? size : size + kHugePageBytes;
  // NORESERVE: most of it may never be touched.
  void* const mapping = mmap(nullptr, memory.mapping_size_, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return IoError(errno, "mmap", purpose);
  memory.mapping_ = mapping;
  memory.data_ = static_cast<char*>(mapping);
  if (size >= kHugePageBytes) {
    const uintptr_t behind = reinterpret_cast<uintptr_t>(mapping) % kHugePageBytes;
    memory.data_ += (kHugePageBytes - behind) % kHugePageBytes;
  }
  return memory;
}

FreshMemory::~FreshMemory() {
  // Fails only for arguments that mmap did not return.
  if (mapping_ != nullptr) (void)munmap(mapping_, mapping_size_);
}

void FreshMemory::PreferHugePages(size_t offset) {
  EMDB_CHECK(offset % kHugePageBytes == 0);
  if (offset < size_) (void)madvise(data_ + offset, size_ - offset, MADV_HUGEPAGE);
}

}  // namespace emdb
