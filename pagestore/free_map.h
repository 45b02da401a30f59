// FreeMap: the references of the map of free space, as they stand in the file: which page holds
// which part of it. Reads map pages, checked; the policy of allocation is free_space.h's.

#ifndef EMDB_PAGESTORE_FREE_MAP_H_
#define EMDB_PAGESTORE_FREE_MAP_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/free_map_format.h"
#include "pagestore/page_bitmap.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"

namespace emdb {

struct FreeMap {
  // levels[0]: one entry for each bitmap page; levels.back(): one, the root.
  std::vector<std::vector<MapEntry>> levels;
};

// How many map pages each level has, for a file of this many pages.
std::vector<uint32_t> MapShape(uint32_t page_size, uint64_t file_pages);

// Reads all index pages of the map: a few for each terabyte. DataLoss if they contradict the
// header.
absl::StatusOr<FreeMap> ReadFreeMap(const PageFile& file, const StoreHeader& header);

// The bits of one bitmap page. An entry without a page reads as all 0; number 0 then has the bits
// of the header slots.
absl::StatusOr<PageBitmap> ReadBitmap(const PageFile& file, const MapEntry& entry,
                                      uint32_t position);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FREE_MAP_H_
