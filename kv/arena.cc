#include "kv/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
// The first bytes are not handed out, so that no Ref is 0.
constexpr size_t kReservedBytes = 64;

char* AlignUp(char* p, size_t alignment) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  return p + ((address + alignment - 1) / alignment * alignment - address);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Arena>> Arena::Create(size_t capacity_bytes) {
  capacity_bytes = std::min(capacity_bytes + kReservedBytes, kMaxCapacityBytes);
  const size_t mapping_bytes = capacity_bytes + kHugePageBytes;
  // NORESERVE: most of the range is headroom for batches of unusual size and is never touched.
  void* mapping = mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return IoError(errno, "mmap", "memory for a memtable");
  std::unique_ptr<Arena> arena(
      new Arena(static_cast<char*>(mapping), mapping_bytes, capacity_bytes));
  // An advice: where it is refused, small pages do. Not for the first one: most memtables of a
  // process that opens a store and reads stay empty, and clearing a huge page for them would be a
  // quarter of the work of opening.
  if (capacity_bytes >= 2 * kHugePageBytes) {
    madvise(arena->base_ + kHugePageBytes, capacity_bytes - kHugePageBytes, MADV_HUGEPAGE);
  }
  return arena;
}

Arena::Arena(char* mapping, size_t mapping_bytes, size_t capacity_bytes)
    : mapping_(mapping),
      mapping_bytes_(mapping_bytes),
      base_(AlignUp(mapping, kHugePageBytes)),
      capacity_bytes_(capacity_bytes),
      used_bytes_(kReservedBytes) {}

Arena::~Arena() { munmap(mapping_, mapping_bytes_); }

Arena::Ref Arena::Allocate(size_t size_bytes, size_t alignment) {
  const size_t used = used_bytes_.load(std::memory_order_relaxed);
  const size_t start = (used + alignment - 1) & ~(alignment - 1);
  EMDB_CHECK(start + size_bytes <= capacity_bytes_);
  used_bytes_.store(start + size_bytes, std::memory_order_relaxed);
  return static_cast<Ref>(start / kUnitBytes);
}

void Arena::Reset() { used_bytes_.store(kReservedBytes, std::memory_order_relaxed); }

absl::StatusOr<std::unique_ptr<Arena>> ArenaPool::Take(size_t min_capacity_bytes) {
  {
    MutexLock lock(&mutex_);
    if (spare_ != nullptr && spare_->capacity_bytes() >= min_capacity_bytes) {
      return std::move(spare_);
    }
  }
  return Arena::Create(std::max(min_capacity_bytes, capacity_bytes_));
}

void ArenaPool::GiveBack(std::unique_ptr<Arena> arena) {
  if (arena->used_bytes() > capacity_bytes_) return;
  // One made for a large batch that was not written after all: its filter is as large as it is.
  if (arena->capacity_bytes() > 2 * capacity_bytes_) return;
  arena->Reset();
  // An arena that is not kept is unmapped here, behind the lock.
  MutexLock lock(&mutex_);
  spare_.swap(arena);
}

}  // namespace emdb
