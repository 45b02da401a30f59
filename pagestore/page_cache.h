// PageCache: nodes of the tree in memory, within a budget. From page id to frame by an array, so
// that looking a page up costs about one cache miss, and a hit writes to no shared cache line (but
// to mark a page as used that was not marked yet).
//
// A page is used either under an EpochGuard (Find) or by a pin (Pin, Load). A frame gets new
// content only when it has left the table, every guard of that time is gone, and nobody pins it.
// When no frame can be had, Load reads into a buffer of its own: a cache smaller than what is
// pinned works, only slower, and nothing ever waits for a frame.
//
// Replacement is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP
// '23): new pages pass through a small queue and reach the main one only if they are used again or
// come back soon after they were dropped; the memory of what was dropped is kept in the table
// itself. Inner pages go to the main queue at once. Pages of sequential readers are never marked as
// used, so a scan passes through the small queue.
//
// Thread safe. Locks: mutex_ and the free list's are never held together, nor while reading the
// file or calling the Epoch.
//
// The caller guarantees: a page id that is looked up belongs to a generation that is pinned, and
// Erase is called between the last use of an id by one page and the first by another.

#ifndef EMDB_PAGESTORE_PAGE_CACHE_H_
#define EMDB_PAGESTORE_PAGE_CACHE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pagestore/frame_arena.h"
#include "pagestore/frame_queue.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/page_pin.h"
#include "pagestore/page_table.h"
#include "storage/epoch.h"
#include "storage/mutex.h"
#include "storage/thread_ordinal.h"
#include "storage/zeroed_array.h"

namespace emdb {

class PageCache {
 public:
  enum class Use {
    kPoint,       // marks the page as used
    kSequential,  // leaves no mark
  };
  struct Stats {
    uint64_t used_bytes = 0;
    uint64_t capacity_bytes = 0;
    uint64_t hits = 0;  // an estimate
    uint64_t misses = 0;
    uint64_t evictions = 0;
  };

  // `file` and `epoch` outlive the cache.
  PageCache(const PageFile* file, FrameArena frames, Epoch* epoch);
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  uint32_t page_size() const { return page_size_; }
  Epoch* epoch() const { return epoch_; }

  // The page, if it is in memory; readable until the caller's EpochGuard ends.
  const char* Find(PageId id, Use use) const {
    const uint32_t entry = table_.Get(id);
    if (!PageTable::IsFrame(entry)) return nullptr;
    MarkUsed(PageTable::FrameOf(entry), use);
    return arena_.frame(PageTable::FrameOf(entry));
  }
  // Pins a page that Find returned; under the same guard.
  PagePin PinFound(const char* page) const;
  // Whether the page is in memory just now.
  bool Contains(PageId id) const { return PageTable::IsFrame(table_.Get(id)); }
  // Asks for the cache lines of the page's table entry, ahead of Find.
  void PrefetchEntry(PageId id) const { table_.Prefetch(id); }
  // The same, pinned; no guard needed. Empty if the page is not in memory.
  PagePin Pin(PageId id, Use use) const;
  // Pins the page, reading it from the file if need be. I/O and DataLoss errors.
  absl::StatusOr<PagePin> Load(PageRef ref, uint32_t level, Use use);

  // Reads those of the pages that are not in memory, different ones, side by side, and keeps them.
  // What cannot be read, or is not what it should be, Load will say.
  void LoadAhead(absl::Span<const PageRef> refs, uint32_t level);

  // Keeps a copy of a node that was read or written elsewhere. Without `evict` only if there is
  // room.
  void Insert(PageId id, const char* page, bool evict);
  // Drops the pages.
  void Erase(absl::Span<const PageRun> runs);
  // Drops those of the pages that no point reader has found here since they came: whoever wants
  // them all the same reads the file.
  void EraseUnused(absl::Span<const PageId> ids);
  // The pages are to be dropped before all others: only old generations use them.
  void Demote(absl::Span<const PageRun> runs);

  bool HasRoom() const;
  Stats stats() const;

 private:
  static constexpr uint32_t kInSmall = 1;
  static constexpr uint32_t kInMain = 2;
  static constexpr uint32_t kDoomed = 3;  // demoted: leave before all others

  static constexpr uint8_t kMaxUses = 3;
  // Threads beyond them share the last one.
  static constexpr size_t kHitCounters = 256;
  struct HitCounter {
    std::atomic<uint64_t> count;
    std::array<char, 64 - sizeof(count)> rest_of_line;
  };

  // Frames that may be taken, once nobody pins them. Lives on in callbacks of the Epoch.
  struct FreeFrames {
    mutable Mutex mutex;
    std::vector<uint32_t> frames ABSL_GUARDED_BY(mutex);
    uint32_t untouched ABSL_GUARDED_BY(mutex) = 0;  // frames [untouched, capacity) were never used
    uint32_t retiring ABSL_GUARDED_BY(mutex) = 0;   // out of the table, waiting for their epoch
  };

  void MarkUsed(uint32_t frame, Use use) const {
    if (use == Use::kSequential) return;
    // Relaxed: a lost mark costs nothing but a worse guess. Written only if it changes, so that the
    // line stays shared among readers.
    if (uses_[frame].load(std::memory_order_relaxed) < kMaxUses) {
      uses_[frame].store(kMaxUses, std::memory_order_relaxed);
    }
    CountHit();
  }
  void CountHit() const {
    std::atomic<uint64_t>& hits = hits_[std::min(ThreadOrdinal(), kHitCounters - 1)].count;
    // Not one atomic addition: it would wait for the loads before it. Those who share a counter may
    // lose some.
    hits.store(hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  PagePin PinFrame(uint32_t frame) const;
  std::optional<uint32_t> TakeFrame(bool evict);
  std::optional<uint32_t> PopFree();
  void ReturnFrame(uint32_t frame);
  bool IsRetiring() const;
  // Starts the way of up to `count` frames from the table to the free list.
  void Evict(uint32_t count);
  uint32_t QueueToShrink() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<uint32_t> ChooseVictim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unlink(uint32_t frame, uint32_t entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retire(std::vector<uint32_t> frames);
  // Puts a filled frame into the table; pins and returns the one that is there if another thread
  // was faster.
  PagePin Publish(PageId id, uint32_t frame);
  void Link(PageId id, uint32_t frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PageFile* const file_;
  Epoch* const epoch_;
  const uint32_t page_size_;
  const FrameArena arena_;
  const uint32_t capacity_;   // frames
  const uint32_t low_water_;  // below this many free frames some are evicted ahead of need
  PageTable table_;
  const ZeroedArray<std::atomic<uint32_t>> pins_;
  // How often a page of the queues was used lately, 0 to 3.
  const ZeroedArray<std::atomic<uint8_t>> uses_;
  const std::shared_ptr<FreeFrames> free_;

  mutable Mutex mutex_;
  FrameQueues queues_ ABSL_GUARDED_BY(mutex_);
  ZeroedArray<PageId> page_of_ ABSL_GUARDED_BY(mutex_);
  uint32_t eviction_count_ ABSL_GUARDED_BY(mutex_) = 0;

  const ZeroedArray<HitCounter> hits_;  // by thread
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> evictions_{0};
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_CACHE_H_
