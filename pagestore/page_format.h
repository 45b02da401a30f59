// The bytes that the pages of a store have in common: page header, references, cells and the store
// header. The only file (with page_format.cc) that knows their offsets; pagestore/FORMAT.md draws
// them. What stands inside a leaf or an inner page is node.h's, the map of free space is
// free_map_format.h's.
//
// Nothing here does I/O. Functions that take bytes from disk check them and return a Status.

#ifndef EMDB_PAGESTORE_PAGE_FORMAT_H_
#define EMDB_PAGESTORE_PAGE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/coding.h"
#include "storage/store_id.h"

namespace emdb {

using PageId = uint32_t;

// Page 0 is a header slot and never referred to.
inline constexpr PageId kNoPage = 0;
inline constexpr uint32_t kHeaderSlots = 2;
inline constexpr uint32_t kMinPageSize = 8192;
inline constexpr uint32_t kMaxPageSize = 65536;
inline constexpr uint32_t kFormatVersion = 1;
// More levels than the writer lets a tree have (PageStoreImpl::WritePages).
inline constexpr uint32_t kMaxHeight = 40;
inline constexpr size_t kMaxKeySize = 4096;
inline constexpr uint32_t kMaxValueSize = uint32_t{1} << 30;

constexpr bool IsValidPageSize(uint32_t size) {
  return size == 8192 || size == 16384 || size == 32768 || size == 65536;
}

// What a reader needs to load a page and to know that it got the right one.
struct PageRef {
  PageId id = kNoPage;
  uint32_t crc = 0;

  bool exists() const { return id != kNoPage; }
  friend bool operator==(const PageRef&, const PageRef&) = default;
};
inline constexpr size_t kPageRefSize = 8;

inline PageRef LoadPageRef(const char* p) { return {Load32(p), Load32(p + 4)}; }
inline void StorePageRef(char* p, PageRef ref) {
  Store32(p, ref.id);
  Store32(p + 4, ref.crc);
}

// Consecutive pages.
struct PageRun {
  PageId first = kNoPage;
  uint32_t count = 0;

  uint64_t end() const { return uint64_t{first} + count; }
  friend bool operator==(const PageRun&, const PageRun&) = default;
};

// Adds `run` to `runs`: to the last of them, if it goes on there.
inline void AppendRun(PageRun run, std::vector<PageRun>* runs) {
  if (!runs->empty() && runs->back().end() == run.first) {
    runs->back().count += run.count;
  } else {
    runs->push_back(run);
  }
}

// 8 to 15 are left for trees.
enum class PageKind : uint8_t {
  kLeaf = 1,
  kInner = 2,
  kBitmap = 3,
  kMapIndex = 4,
  kBuffered = 5,  // an inner page of level 1 with slices: see slice.h
  kSliceRoot = 6,
  kSliceLeaf = 7,
};

// "leaf", "inner", ... or "unknown".
std::string_view PageKindName(PageKind kind);

// --- page header ---------------------------------------------------------------------------------

inline constexpr size_t kPageHeaderSize = 32;

struct PageHeader {
  PageId id = kNoPage;
  PageKind kind = PageKind::kLeaf;
  uint8_t level = 0;   // of a node: 0 for leaves; of the map: 0 for bitmaps
  uint16_t count = 0;  // records of a leaf, separators of an inner page, 0 in the map
  uint16_t prefix_size = 0;
  uint16_t data_end = 0;    // of a node: first byte behind the cells; from there on all is 0
  uint64_t generation = 0;  // the checkpoint that wrote the page
  // Of a map page: its number within its level. Of a buffered node and of the root of a slice:
  // where its slices, or its filter, begin.
  uint32_t position = 0;
};

inline uint32_t PageCrcField(const char* page) { return Load32(page); }
inline PageId PageIdField(const char* page) { return Load32(page + 4); }
inline PageKind PageKindField(const char* page) { return PageKind{static_cast<uint8_t>(page[8])}; }
inline uint8_t PageLevelField(const char* page) { return static_cast<uint8_t>(page[9]); }
inline uint16_t PageCountField(const char* page) { return Load16(page + 10); }
inline uint16_t PagePrefixSizeField(const char* page) { return Load16(page + 12); }
inline uint16_t PageDataEndField(const char* page) { return Load16(page + 14); }
inline uint32_t PagePositionField(const char* page) { return Load32(page + 24); }

PageHeader DecodePageHeader(const char* page);
// True if the reserved bytes of the page header are 0.
bool PageReservedBytesAreZero(const char* page);
// Writes everything but the checksum.
void EncodePageHeader(const PageHeader& header, char* page);
inline void SetPageKind(PageKind kind, char* page) { page[8] = static_cast<char>(kind); }

// The checksum of a page or of a large value of this store: CRC32C of the store id, then the bytes.
uint32_t CrcSeed(const StoreId& store_id);
uint32_t ComputePageCrc(uint32_t crc_seed, const char* page, size_t page_size);
// Writes the checksum and returns the reference by which the page is found.
PageRef SealPage(uint32_t crc_seed, char* page, size_t page_size);

// --- cells ---------------------------------------------------------------------------------------

// What the payload of a leaf's cell is. Tombstones, without a payload, stand in slices only; 3 is
// kept for cells that begin with more flags (expiry, for one).
enum class CellKind : uint8_t { kInline = 0, kExtent = 1, kTombstone = 2 };

// Where a large value stands: `size` bytes from the first byte of page `first`, pages in a row.
struct ExtentRef {
  PageId first = kNoPage;
  uint32_t crc = 0;
  uint32_t size = 0;

  uint32_t pages(uint32_t page_size) const {
    return static_cast<uint32_t>((uint64_t{size} + page_size - 1) / page_size);
  }
};
inline constexpr size_t kExtentRefSize = 12;

ExtentRef DecodeExtentRef(const char* p);
void EncodeExtentRef(const ExtentRef& ref, char* p);

// Whether a value goes into the leaf with its key. Any single cell fits on a page then, one with an
// extent too, and two that go in by the second rule fit together. Two by the first may not: keys
// near kMaxKeySize on the smallest pages.
constexpr bool IsInlineValue(uint32_t page_size, size_t key_size, size_t value_size) {
  return value_size <= 128 || key_size + value_size <= page_size / 2 - 64;
}

// --- store header --------------------------------------------------------------------------------

// One sector, so that it is written whole or not at all. Each slot holds it twice, at offset 0 and
// at kHeaderCopyOffset of its page.
inline constexpr size_t kStoreHeaderSize = 512;
inline constexpr size_t kHeaderCopyOffset = 4096;

struct StoreHeader {
  uint32_t page_size = 0;
  StoreId store_id = {};
  uint64_t generation = 0;
  uint64_t next_seq = 0;
  uint64_t records = 0;  // of the tree's leaves, like the bytes
  uint64_t key_bytes = 0;
  uint64_t value_bytes = 0;
  uint32_t file_pages = kHeaderSlots;
  uint32_t used_pages = kHeaderSlots;  // header slots, tree, large values, map
  PageRef root;                        // none: the tree is empty
  uint32_t height = 0;
  PageRef map_root;        // none: only the header slots are used
  uint32_t map_level = 0;  // 0: the root of the map is a bitmap page
  // Of all slices. What they hold is not in `records`, `key_bytes` and `value_bytes`.
  uint32_t slice_pages = 0;
  uint64_t slice_records = 0;  // tombstones included

  friend bool operator==(const StoreHeader&, const StoreHeader&) = default;
};

// A new store has the headers of generations 0 and 1, both empty; 1 is the one that counts.
inline constexpr uint64_t kFirstGeneration = 1;

// The slot that the header of a generation is written to.
inline PageId HeaderSlot(uint64_t generation) { return generation % kHeaderSlots; }

void EncodeStoreHeader(const StoreHeader& header, char* sector);

// NotFound: all zeros, never written. InvalidArgument: not a store header. DataLoss: a damaged one.
// FailedPrecondition: of a format that this code does not know, with found and expected.
absl::Status DecodeStoreHeader(const char* sector, StoreHeader* header);

// Whether a header may begin so.
bool BeginsStoreHeader(std::string_view bytes);

// True if all bytes are 0.
bool IsZero(std::string_view bytes);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_FORMAT_H_
