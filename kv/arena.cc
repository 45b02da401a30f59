#include "kv/arena.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

// The first bytes are not handed out, so that no Ref is 0.
constexpr size_t kReservedBytes = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<Arena>> Arena::Create(size_t capacity_bytes) {
  capacity_bytes = std::min(capacity_bytes + kReservedBytes, kMaxCapacityBytes);
  // Most of it is headroom for batches of unusual size.
  EMDB_ASSIGN_OR_RETURN(FreshMemory memory,
                        FreshMemory::Map(capacity_bytes, "memory for a memtable"));
  // Not the first one: most memtables of a process that opens a store and reads stay empty, and
  // clearing a huge page for them would be a quarter of the work of opening.
  memory.PreferHugePages(FreshMemory::kHugePageBytes);
  return std::unique_ptr<Arena>(new Arena(std::move(memory)));
}

Arena::Arena(FreshMemory memory)
    : memory_(std::move(memory)),
      base_(memory_.data()),
      capacity_bytes_(memory_.size()),
      used_bytes_(kReservedBytes) {}

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
