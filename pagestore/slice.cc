#include "pagestore/slice.h"

#include <algorithm>
#include <cstring>

#include "pagestore/node_builder.h"
#include "pagestore/slice_filter.h"
#include "storage/check.h"

namespace emdb {
namespace {

// Where the separators of an inner page end, or its records, and something else may begin.
uint32_t InnerEnd(const char* page) {
  return PageKindField(page) == PageKind::kInner ? PageDataEndField(page) : PagePositionField(page);
}

absl::Status CheckSlices(const char* page, uint32_t begin, uint32_t end) {
  const uint32_t size = end - begin;
  if (size == 0 || size % kSliceRefSize != 0 || size > kSliceListSize) {
    return absl::DataLossError("malformed node: number of slices");
  }
  const SliceList slices(page);
  for (uint32_t i = 0; i < slices.size(); ++i) {
    const SliceRef slice = slices.at(i);
    if (slice.root.id < kHeaderSlots || slice.pages < kSliceHeight || slice.records == 0) {
      return absl::DataLossError("malformed node: reference to a slice");
    }
  }
  return absl::OkStatus();
}

}  // namespace

SliceRef SliceList::at(uint32_t index) const {
  const char* const p = page_ + PagePositionField(page_) + kSliceRefSize * index;
  return {LoadPageRef(p), Load32(p + kPageRefSize), Load32(p + kPageRefSize + 4)};
}

std::string_view SliceFilter(const char* root) {
  const uint32_t begin = PagePositionField(root);
  return {root + begin, PageDataEndField(root) - begin};
}

absl::Status CheckInnerTail(const char* page, uint32_t inner_end) {
  const uint32_t end = PageDataEndField(page);
  if (PageKindField(page) == PageKind::kInner) {
    if (inner_end != end) return absl::DataLossError("malformed node: separator offsets");
    return PagePositionField(page) == 0 ? absl::OkStatus()
                                        : absl::DataLossError("malformed node: position");
  }
  if (PagePositionField(page) != inner_end || inner_end > end) {
    return absl::DataLossError("malformed node: end of the separators");
  }
  if (PageKindField(page) == PageKind::kBuffered) return CheckSlices(page, inner_end, end);
  if (inner_end == end || (end - inner_end) % kFilterBlockSize != 0) {
    return absl::DataLossError("malformed node: size of the filter");
  }
  return absl::OkStatus();
}

uint32_t SliceRoom(const char* node, uint32_t page_size) {
  const size_t left = NodeCapacity(page_size) - InnerEnd(node);
  return std::min<uint32_t>(kMaxSlices, static_cast<uint32_t>(left / kSliceRefSize));
}

void BuildBufferedNode(const char* node, absl::Span<const SliceRef> slices, PageId id,
                       uint64_t generation, absl::Span<char> page) {
  const uint32_t inner_end = InnerEnd(node);
  const size_t end = inner_end + slices.size() * kSliceRefSize;
  EMDB_CHECK(!slices.empty() && slices.size() <= kMaxSlices && end <= page.size());
  std::memcpy(page.data(), node, inner_end);
  char* p = page.data() + inner_end;
  for (const SliceRef& slice : slices) {
    StorePageRef(p, slice.root);
    Store32(p + kPageRefSize, slice.pages);
    Store32(p + kPageRefSize + 4, slice.records);
    p += kSliceRefSize;
  }
  std::memset(p, 0, page.size() - end);
  PageHeader header = DecodePageHeader(node);
  header.id = id;
  header.kind = PageKind::kBuffered;
  header.generation = generation;
  header.position = inner_end;
  header.data_end = static_cast<uint16_t>(end);
  EncodePageHeader(header, page.data());
}

void AddSliceFilter(absl::Span<const uint64_t> hashes, char* page) {
  PageHeader header = DecodePageHeader(page);
  const size_t size = FilterSize(hashes.size());
  char* const filter = page + header.data_end;
  for (const uint64_t hash : hashes) AddToFilter(hash, filter, size);
  header.kind = PageKind::kSliceRoot;
  header.position = header.data_end;
  header.data_end = static_cast<uint16_t>(header.data_end + size);
  EncodePageHeader(header, page);
}

}  // namespace emdb
