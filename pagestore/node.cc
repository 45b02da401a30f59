#include "pagestore/node.h"

#include "absl/strings/str_cat.h"
#include "pagestore/slice.h"
#include "storage/status.h"

namespace emdb {
namespace {

// A negative number if `key` sorts before every string that begins with `prefix`, a positive one if
// behind them all, 0 if it begins with it. A proper prefix of `prefix` sorts before.
int CompareToPrefix(std::string_view key, std::string_view prefix) {
  return key.substr(0, prefix.size()).compare(prefix);
}

// The end of the run of heads equal to `head` that begins at `begin`.
uint32_t EndOfEqualHeads(const char* heads, uint32_t n, uint32_t begin, uint32_t head) {
  if (begin + 1 == n || Load32(heads + 4 * uint64_t{begin + 1}) != head) return begin + 1;
  return head == UINT32_MAX ? n : CountHeadsBelow(heads, n, head + 1);
}

absl::Status Bad(std::string_view what) {
  return absl::DataLossError(absl::StrCat("malformed node: ", ToAbsl(what)));
}

// Whether the keys that `head` and `suffix` begin can follow those of the entry before them.
class OrderCheck {
 public:
  bool Follows(uint32_t head, std::string_view suffix) {
    if (head != HeadOf(suffix)) return false;
    const bool ascends =
        first_ || head > last_head_ || (head == last_head_ && suffix > last_suffix_);
    first_ = false;
    last_head_ = head;
    last_suffix_ = suffix;
    return ascends;
  }

 private:
  bool first_ = true;
  uint32_t last_head_ = 0;
  std::string_view last_suffix_;
};

absl::Status CheckPayload(PageKind page_kind, uint32_t tag, std::string_view payload) {
  switch (CellKind{static_cast<uint8_t>(tag & 3)}) {
    case CellKind::kInline:
      return absl::OkStatus();
    case CellKind::kExtent: {
      if (payload.size() != kExtentRefSize) return Bad("size of a large value's reference");
      const ExtentRef extent = DecodeExtentRef(payload.data());
      if (extent.first < kHeaderSlots || extent.size == 0 || extent.size > kMaxValueSize) {
        return Bad("large value's reference");
      }
      return absl::OkStatus();
    }
    case CellKind::kTombstone:
      if (page_kind != PageKind::kSliceLeaf || !payload.empty()) return Bad("tombstone");
      return absl::OkStatus();
  }
  return Bad("unknown cell kind");
}

// Checks the cell of `page` that fills `bytes`, and leaves its key's suffix in *suffix.
absl::Status CheckLeafCell(const char* page, std::string_view bytes, std::string_view* suffix) {
  const size_t prefix_size = PagePrefixSizeField(page);
  const char* p = bytes.data();
  const char* limit = p + bytes.size();
  uint32_t suffix_size = 0;
  uint32_t tag = 0;
  if (p = GetVarint32(p, limit, &suffix_size); p == nullptr) return Bad("key size");
  if (p = GetVarint32(p, limit, &tag); p == nullptr) return Bad("value size");
  if (suffix_size > kMaxKeySize - prefix_size) return Bad("key too long");
  if (suffix_size + prefix_size == 0) return Bad("empty key");
  const size_t payload_size = tag >> 2;
  if (suffix_size + payload_size != static_cast<size_t>(limit - p)) return Bad("cell size");
  *suffix = std::string_view(p, suffix_size);
  return CheckPayload(PageKindField(page), tag, {p + suffix_size, payload_size});
}

absl::Status CheckLeaf(const char* page, uint32_t page_size) {
  const uint32_t n = PageCountField(page);
  const uint32_t end = PageDataEndField(page);
  const size_t prefix_size = PagePrefixSizeField(page);
  const size_t cells_at = kPageHeaderSize + size_t{6} * n + prefix_size;
  if (n == 0) return Bad("leaf without records");
  if (kPageHeaderSize + size_t{4} * n + kHeadSlack > page_size || cells_at > end) {
    return Bad("record count");
  }
  const char* heads = page + kPageHeaderSize;
  const char* offsets = heads + size_t{4} * n;
  if (Load16(offsets) != cells_at) return Bad("first cell");
  OrderCheck order;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t begin = Load16(offsets + 2 * i);
    const uint32_t cell_end = i + 1 < n ? Load16(offsets + 2 * (i + 1)) : end;
    if (cell_end < begin || cell_end > end) return Bad("cell offsets");
    std::string_view suffix;
    EMDB_RETURN_IF_ERROR(CheckLeafCell(page, {page + begin, cell_end - begin}, &suffix));
    if (!order.Follows(Load32(heads + size_t{4} * i), suffix)) return Bad("order of keys");
  }
  return absl::OkStatus();
}

absl::Status CheckInner(const char* page, uint32_t page_size) {
  const uint32_t n = PageCountField(page);
  const uint32_t end = PageDataEndField(page);
  const size_t prefix_size = PagePrefixSizeField(page);
  const size_t heads_at = (kPageHeaderSize + prefix_size + 3) & ~size_t{3};
  const size_t children_at = heads_at + size_t{4} * n;
  const size_t offsets_at = children_at + kPageRefSize * (n + 1);
  const size_t tails_at = offsets_at + size_t{2} * (n + 1);
  if (children_at + kHeadSlack > page_size || tails_at > end) return Bad("separator count");
  if (Load16(page + offsets_at) != tails_at) return Bad("separator offsets");
  OrderCheck order;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t begin = Load16(page + offsets_at + 2 * i);
    const uint32_t tail_end = Load16(page + offsets_at + 2 * (i + 1));
    if (tail_end < begin || tail_end > end) return Bad("separator offsets");
    if (tail_end - begin > kMaxKeySize - prefix_size) return Bad("separator too long");
    const std::string_view tail(page + begin, tail_end - begin);
    if (!order.Follows(Load32(page + heads_at + size_t{4} * i), tail)) {
      return Bad("order of separators");
    }
  }
  for (uint32_t i = 0; i <= n; ++i) {
    if (Load32(page + children_at + kPageRefSize * i) < kHeaderSlots) return Bad("child");
  }
  return CheckInnerTail(page, Load16(page + offsets_at + 2 * n));
}

bool IsKindOfLevel(PageKind kind, uint32_t level) {
  switch (kind) {
    case PageKind::kLeaf:
    case PageKind::kSliceLeaf:
      return level == 0;
    case PageKind::kInner:
      return level > 0;
    case PageKind::kBuffered:
    case PageKind::kSliceRoot:
      return level == 1;
    default:
      return false;
  }
}

}  // namespace

absl::Status CheckNode(const char* page, uint32_t page_size, uint32_t level) {
  if (!IsKindOfLevel(PageKindField(page), level) || PageLevelField(page) != level) {
    return absl::DataLossError(
        absl::StrCat("found a page of kind ", ToAbsl(PageKindName(PageKindField(page))),
                     " and level ", PageLevelField(page), ", expected a node of level ", level));
  }
  const uint32_t end = PageDataEndField(page);
  if (end < kPageHeaderSize || end > page_size || PagePrefixSizeField(page) > kMaxKeySize) {
    return Bad("sizes in the page header");
  }
  return level == 0 ? CheckLeaf(page, page_size) : CheckInner(page, page_size);
}

std::string LeafView::key(uint32_t index) const {
  return std::string(prefix()).append(cell(index).suffix);
}

LeafView::Position LeafView::LowerBoundAmongEqual(uint32_t begin, std::string_view rest) const {
  uint32_t low = begin;
  uint32_t high = EndOfEqualHeads(heads(), count(), begin, HeadOf(rest));
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    const int order = cell(middle).suffix.compare(rest);
    if (order == 0) return {middle, true};
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, false};
}

LeafView::Position LeafView::LowerBound(std::string_view key) const {
  if (const int order = CompareToPrefix(key, prefix()); order != 0) {
    return {order < 0 ? 0 : count(), false};
  }
  const std::string_view rest = key.substr(PagePrefixSizeField(page_));
  const uint32_t head = HeadOf(rest);
  const uint32_t begin = CountHeadsBelow(heads(), count(), head);
  if (begin == count()) return {begin, false};
  PrefetchCell(begin);
  if (Load32(heads() + 4 * uint64_t{begin}) != head) return {begin, false};
  return LowerBoundAmongEqual(begin, rest);
}

uint32_t LeafView::Candidate(std::string_view key) const {
  const size_t prefix_size = PagePrefixSizeField(page_);
  if (key.size() < prefix_size) return count();
  const uint32_t head = HeadOf(key.substr(prefix_size));
  const uint32_t begin = CountHeadsBelow(heads(), count(), head);
  if (begin == count() || Load32(heads() + 4 * uint64_t{begin}) != head) return count();
  PrefetchCell(begin);
  return begin;
}

LeafView::Position LeafView::FindFrom(uint32_t candidate, std::string_view key) const {
  const size_t prefix_size = PagePrefixSizeField(page_);
  Position position = LowerBoundAmongEqual(candidate, key.substr(prefix_size));
  // The prefix is compared last: it stands behind the heads, beside the cells, and most keys that
  // are not here have shown so by now.
  position.found = position.found && key.substr(0, prefix_size) == prefix();
  return position;
}

std::string InnerView::separator(uint32_t index) const {
  return std::string(prefix()).append(tail(index));
}

uint32_t InnerView::ChildFor(std::string_view key) const {
  const uint32_t n = separator_count();
  if (n == 0) return 0;
  if (const int order = CompareToPrefix(key, prefix()); order != 0) return order < 0 ? 0 : n;
  const std::string_view rest = key.substr(PagePrefixSizeField(page_));
  const uint32_t head = HeadOf(rest);
  const uint32_t begin = CountHeadsBelow(heads(), n, head);
  if (begin == n || Load32(heads() + 4 * uint64_t{begin}) != head) return begin;
  uint32_t low = begin;
  uint32_t high = EndOfEqualHeads(heads(), n, begin, head);
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (tail(middle) <= rest) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace emdb
