// Slices: changes of a range of keys that a checkpoint wrote beside the leaves they belong to,
// instead of into them. An inner page of level 1 with slices is a buffered node; what it holds is
// its leaves, overlaid by its slices from the oldest to the newest.
//
// A slice is a tree of two levels: a root page, laid out like an inner page with a filter of all
// its keys behind it, and leaves that may hold tombstones. This file has the references, the views
// and the two pages' tails; slice_builder.h makes slices, tree_writer.h decides when.
//
// Views trust their page, as those of node.h do.

#ifndef EMDB_PAGESTORE_SLICE_H_
#define EMDB_PAGESTORE_SLICE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/page_format.h"

namespace emdb {

// Levels of a slice: root and leaves.
inline constexpr uint32_t kSliceHeight = 2;
// Of one node, the newest first. Inner pages of level 1 are built with room for as many.
inline constexpr uint32_t kMaxSlices = 16;
inline constexpr size_t kSliceRefSize = kPageRefSize + 8;
inline constexpr size_t kSliceListSize = kMaxSlices * kSliceRefSize;

struct SliceRef {
  PageRef root;
  uint32_t pages = 0;    // root and leaves; large values are apart
  uint32_t records = 0;  // tombstones included
};

// The slices of an inner page of level 1; none if it is not a buffered node.
class SliceList {
 public:
  explicit SliceList(const char* page) : page_(page) {}

  uint32_t size() const {
    if (PageKindField(page_) != PageKind::kBuffered) return 0;
    return (PageDataEndField(page_) - PagePositionField(page_)) / kSliceRefSize;
  }
  SliceRef at(uint32_t index) const;

 private:
  const char* page_;
};

// The filter of a slice's root.
std::string_view SliceFilter(const char* root);

// Checks what stands behind the separators of a page of level 1, whose inner part has been checked
// and ends at `inner_end`. The DataLoss says what is wrong, not where.
absl::Status CheckInnerTail(const char* page, uint32_t inner_end);

// How many slices fit on the page, in place of those it has.
uint32_t SliceRoom(const char* node, uint32_t page_size);
// Writes a copy of `node`, an inner page of level 1, with these slices in place of those it has, of
// which there is at least one and at most SliceRoom; but for the checksum.
void BuildBufferedNode(const char* node, absl::Span<const SliceRef> slices, PageId id,
                       uint64_t generation, absl::Span<char> page);
// Makes an inner page of level 1 that was just built the root of a slice with the keys of these
// hashes. FilterSize(hashes.size()) bytes are free behind its data.
void AddSliceFilter(absl::Span<const uint64_t> hashes, char* page);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_SLICE_H_
