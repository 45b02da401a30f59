// The pages of the map of free space: a radix tree over page numbers. Its leaves are bitmaps, 1 for
// each page in use; above them stand index pages with a reference and a count for each page below.
// pagestore/FORMAT.md draws them; only this file knows their offsets.

#ifndef EMDB_PAGESTORE_FREE_MAP_FORMAT_H_
#define EMDB_PAGESTORE_FREE_MAP_FORMAT_H_

#include <cstdint>

#include "pagestore/page_format.h"
#include "storage/coding.h"

namespace emdb {

struct MapEntry {
  PageRef ref;        // none: nothing below is in use, and nothing is stored
  uint32_t used = 0;  // pages in use below

  friend bool operator==(const MapEntry&, const MapEntry&) = default;
};
inline constexpr size_t kMapEntrySize = 12;

// Pages that one bitmap page speaks for.
constexpr uint32_t BitmapPages(uint32_t page_size) {
  return (page_size - static_cast<uint32_t>(kPageHeaderSize)) * 8;
}
// Pages that one index page refers to.
constexpr uint32_t MapFanout(uint32_t page_size) {
  return (page_size - static_cast<uint32_t>(kPageHeaderSize)) /
         static_cast<uint32_t>(kMapEntrySize);
}

inline MapEntry LoadMapEntry(const char* page, uint32_t index) {
  const char* p = page + kPageHeaderSize + kMapEntrySize * index;
  return {LoadPageRef(p), Load32(p + kPageRefSize)};
}
inline void StoreMapEntry(char* page, uint32_t index, const MapEntry& entry) {
  char* p = page + kPageHeaderSize + kMapEntrySize * index;
  StorePageRef(p, entry.ref);
  Store32(p + kPageRefSize, entry.used);
}

// Page `bitmap position * BitmapPages + 64 * i + j` is bit j of word i.
inline uint64_t LoadBitmapWord(const char* page, uint32_t index) {
  return Load64(page + kPageHeaderSize + 8 * size_t{index});
}
inline void StoreBitmapWord(char* page, uint32_t index, uint64_t word) {
  Store64(page + kPageHeaderSize + 8 * size_t{index}, word);
}

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FREE_MAP_FORMAT_H_
