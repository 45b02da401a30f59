// PageTable: from page id to what is known of it in memory, by an array of two levels. An entry is
// a frame, or a mark that the page was dropped lately, or nothing.
//
// Readers take no lock. Setting entries is for one thread at a time (the cache's mutex).

#ifndef EMDB_PAGESTORE_PAGE_TABLE_H_
#define EMDB_PAGESTORE_PAGE_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "pagestore/page_format.h"
#include "storage/zeroed_array.h"

namespace emdb {

class PageTable {
 public:
  // An entry: 0 for nothing, frame + 1, or kGhostBit and a count.
  static constexpr uint32_t kNothing = 0;
  static constexpr uint32_t kGhostBit = uint32_t{1} << 31;

  static constexpr uint32_t FrameEntry(uint32_t frame) { return frame + 1; }
  // `count` goes round at 2^31.
  static constexpr uint32_t GhostEntry(uint32_t count) { return count | kGhostBit; }
  // How far `count` has moved on since the ghost was made.
  static constexpr uint32_t GhostAge(uint32_t entry, uint32_t count) {
    return (count - entry) & ~kGhostBit;
  }
  static constexpr bool IsFrame(uint32_t entry) {
    return entry != kNothing && (entry & kGhostBit) == 0;
  }
  static constexpr bool IsGhost(uint32_t entry) { return (entry & kGhostBit) != 0; }
  static constexpr uint32_t FrameOf(uint32_t entry) { return entry - 1; }

  PageTable() : blocks_(kBlocks) {}
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  uint32_t Get(PageId id) const {
    // Acquire, here and below: what was written to the block and to the frame before they were
    // published is seen.
    const Entry* block = blocks_[id / kBlockSize].load(std::memory_order_acquire);
    if (block == nullptr) return kNothing;
    return block[id % kBlockSize].load(std::memory_order_acquire);
  }
  void Prefetch(PageId id) const {
    const Entry* block = blocks_[id / kBlockSize].load(std::memory_order_acquire);
    if (block != nullptr) __builtin_prefetch(block + id % kBlockSize);
  }
  void Set(PageId id, uint32_t entry) {
    std::atomic<Entry*>& slot = blocks_[id / kBlockSize];
    Entry* block = slot.load(std::memory_order_relaxed);
    if (block == nullptr) {
      block = &owned_.emplace_back(kBlockSize)[0];
      // Release: readers see the zeros.
      slot.store(block, std::memory_order_release);
    }
    // Release: readers see the frame's bytes.
    block[id % kBlockSize].store(entry, std::memory_order_release);
  }

 private:
  using Entry = std::atomic<uint32_t>;
  static constexpr size_t kBlockSize = size_t{1} << 16;
  static constexpr size_t kBlocks = size_t{1} << 16;

  // Blocks are made when first needed: 4 bytes for each page of the file that was ever in memory.
  const ZeroedArray<std::atomic<Entry*>> blocks_;
  std::deque<ZeroedArray<Entry>> owned_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_TABLE_H_
