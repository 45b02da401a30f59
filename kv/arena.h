// Arena: the memory of one memtable. A contiguous range of addresses, committed by the kernel as it
// is touched, handed out from the front and given back as a whole.
//
// What is in it is named by a Ref, its offset in units of 8 bytes: half of a pointer's size, up to
// 32 GiB. Ref 0 is never handed out and means "none". One thread allocates; Refs are resolved from
// any.
//
// ArenaPool keeps an arena that has been given back for the next memtable: its pages are there
// already, huge ones where the system has them, while fresh ones cost a page fault each. Thread
// safe.

#ifndef EMDB_KV_ARENA_H_
#define EMDB_KV_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "storage/fresh_memory.h"
#include "storage/mutex.h"

namespace emdb {

class Arena {
 public:
  using Ref = uint32_t;
  static constexpr size_t kUnitBytes = 8;
  static constexpr size_t kMaxCapacityBytes = kUnitBytes << 32;

  // ResourceExhausted if the system has no such range of addresses.
  static absl::StatusOr<std::unique_ptr<Arena>> Create(size_t capacity_bytes);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `alignment` is a power of two, 8 to 64. The caller has made sure that there is room.
  Ref Allocate(size_t size_bytes, size_t alignment);
  char* At(Ref ref) const { return base_ + size_t{ref} * kUnitBytes; }

  // Alignment included. From any thread.
  size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  size_t capacity_bytes() const { return capacity_bytes_; }

  // Everything handed out is gone. The pages stay.
  void Reset();

 private:
  explicit Arena(FreshMemory memory);

  const FreshMemory memory_;
  char* const base_;
  const size_t capacity_bytes_;
  std::atomic<size_t> used_bytes_;
};

class ArenaPool {
 public:
  // Arenas have at least `capacity_bytes`; one that has grown beyond it in use is not kept.
  explicit ArenaPool(size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  absl::StatusOr<std::unique_ptr<Arena>> Take(size_t min_capacity_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(std::unique_ptr<Arena> arena) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t capacity_bytes_;
  Mutex mutex_;
  // One: beside the active and the frozen memtable there is never use for more.
  std::unique_ptr<Arena> spare_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_KV_ARENA_H_
