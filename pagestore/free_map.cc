#include "pagestore/free_map.h"

#include <utility>

#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

struct MapPlace {
  uint8_t level;
  uint32_t position;
};

absl::Status ReadMapPage(const PageFile& file, PageRef ref, MapPlace place, char* page) {
  EMDB_RETURN_IF_ERROR(file.ReadPage(ref, page));
  const PageHeader header = DecodePageHeader(page);
  const PageKind kind = place.level == 0 ? PageKind::kBitmap : PageKind::kMapIndex;
  if (header.kind != kind || header.level != place.level || header.position != place.position) {
    return file.Corruption(ref.id, "expected another page of the map of free space");
  }
  return absl::OkStatus();
}

// Reads the page of `parent` and appends its entries to `children`, which gets at most `limit`.
absl::Status ReadIndexPage(const PageFile& file, PageRef parent, MapPlace place, uint32_t limit,
                           std::vector<MapEntry>* children) {
  AlignedBuffer page(file.page_size());
  EMDB_RETURN_IF_ERROR(ReadMapPage(file, parent, place, page.data()));
  const uint32_t fanout = MapFanout(file.page_size());
  for (uint32_t i = 0; i < fanout; ++i) {
    const MapEntry entry = LoadMapEntry(page.data(), i);
    if (children->size() < limit) {
      children->push_back(entry);
    } else if (entry != MapEntry()) {
      return file.Corruption(parent.id, "map entries for pages behind the end of the file");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<uint32_t> MapShape(uint32_t page_size, uint64_t file_pages) {
  const uint64_t bits = BitmapPages(page_size);
  const uint32_t fanout = MapFanout(page_size);
  std::vector<uint32_t> shape = {static_cast<uint32_t>((file_pages + bits - 1) / bits)};
  while (shape.back() > 1) shape.push_back((shape.back() + fanout - 1) / fanout);
  return shape;
}

absl::StatusOr<FreeMap> ReadFreeMap(const PageFile& file, const StoreHeader& header) {
  const std::vector<uint32_t> shape = MapShape(file.page_size(), header.file_pages);
  FreeMap map;
  map.levels.resize(shape.size());
  map.levels.back() = {{header.map_root, header.used_pages}};
  const uint32_t top = static_cast<uint32_t>(shape.size()) - 1;
  if (header.map_root.exists() ? header.map_level != top : top > 0) {
    return file.Corruption(HeaderSlot(header.generation),
                           "the map of free space has not the height that the file's size asks");
  }
  for (uint32_t level = top; level > 0; --level) {
    uint32_t position = 0;
    for (const MapEntry& parent : map.levels[level]) {
      EMDB_RETURN_IF_ERROR(ReadIndexPage(file, parent.ref,
                                         {static_cast<uint8_t>(level), position++},
                                         shape[level - 1], &map.levels[level - 1]));
    }
  }
  return map;
}

absl::StatusOr<PageBitmap> ReadBitmap(const PageFile& file, const MapEntry& entry,
                                      uint32_t position) {
  PageBitmap bits(BitmapPages(file.page_size()));
  if (!entry.ref.exists()) {
    if (position == 0) bits.Set(0, kHeaderSlots);
    return bits;
  }
  AlignedBuffer page(file.page_size());
  EMDB_RETURN_IF_ERROR(ReadMapPage(file, entry.ref, {0, position}, page.data()));
  for (uint32_t i = 0; i < bits.word_count(); ++i) {
    bits.set_word(i, LoadBitmapWord(page.data(), i));
  }
  if (bits.Count() != entry.used) {
    return file.Corruption(entry.ref.id, "a bitmap whose count is not that of its reference");
  }
  return bits;
}

}  // namespace emdb
