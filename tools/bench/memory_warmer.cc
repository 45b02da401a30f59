#include "tools/bench/memory_warmer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace emdb::bench {
namespace {

constexpr uint64_t kPageBytes = 4096;

uint64_t AvailableBytes() {
  const long pages = sysconf(_SC_AVPHYS_PAGES);
  return pages <= 0 ? 0 : static_cast<uint64_t>(pages) * static_cast<uint64_t>(getpagesize());
}

}  // namespace

uint64_t WarmMemory(uint64_t bytes) {
  bytes = std::min(bytes, AvailableBytes() / 4) / kPageBytes * kPageBytes;
  if (bytes == 0) return 0;
  void* const mapping =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return 0;
  // Only advice: with huge pages it takes a fifth of the time.
  (void)madvise(mapping, bytes, MADV_HUGEPAGE);
  for (uint64_t at = 0; at < bytes; at += kPageBytes) {
    static_cast<volatile char*>(mapping)[at] = 1;
  }
  munmap(mapping, bytes);
  return bytes;
}

}  // namespace emdb::bench
