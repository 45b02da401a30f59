// LeafView and InnerView: read access to the nodes of a tree, in place. Pointers into a page that
// outlives them; copied freely; safe from many threads.
//
// Views trust their page: CheckNode must have passed on it once, which it does on the way from disk
// into memory (with the checksum, so that not even a forged page makes a view leave the page).
//
// Invariants of a node. CheckNode tests the first two, Verify the third:
//  1. Keys ascend strictly, bytewise; so do the separators of an inner page.
//  2. A leaf has at least one record; an inner page with n separators has n + 1 children.
//  3. Every key below child i is >= separator i - 1 (if there is one) and < separator i.

#ifndef EMDB_PAGESTORE_NODE_H_
#define EMDB_PAGESTORE_NODE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "pagestore/head_search.h"
#include "pagestore/page_format.h"
#include "storage/coding.h"

namespace emdb {

// OK if the page is a well-formed node of `level`, of the tree or of a slice, whose parts all lie
// within the page. The message of the DataLoss says what is wrong, not where.
absl::Status CheckNode(const char* page, uint32_t page_size, uint32_t level);

inline constexpr uint32_t kCacheLine = 64;

// Functions that only prefetch are always inline: gcc 12 takes them for functions without effects,
// and drops the calls that it does not inline.

class LeafView {
 public:
  struct Cell {
    std::string_view suffix;  // the key is prefix() and this
    CellKind kind = CellKind::kInline;
    std::string_view payload;
  };
  struct Position {
    uint32_t index = 0;
    bool found = false;
  };

  explicit LeafView(const char* page) : page_(page) {}

  uint32_t count() const { return PageCountField(page_); }
  std::string_view prefix() const {
    return {page_ + kPageHeaderSize + size_t{6} * count(), PagePrefixSizeField(page_)};
  }
  Cell cell(uint32_t index) const;
  std::string key(uint32_t index) const;

  // The first record whose key is >= `key`; count() if there is none.
  Position LowerBound(std::string_view key) const;
  // The record of `key`, if it is there: touches no cell unless a head is equal.
  Position Find(std::string_view key) const {
    const uint32_t candidate = Candidate(key);
    return candidate < count() ? FindFrom(candidate, key) : Position{candidate, false};
  }
  // Find in two steps, between which the lookups of other keys can go on. The first record whose
  // head is that of `key`, on its way from memory; count() if there is none, and so not the key.
  uint32_t Candidate(std::string_view key) const;
  // Given that candidate.
  Position FindFrom(uint32_t candidate, std::string_view key) const;

 private:
  const char* heads() const { return page_ + kPageHeaderSize; }
  const char* offsets() const { return heads() + size_t{4} * count(); }
  const char* cell_address(uint32_t index) const { return page_ + Load16(offsets() + 2 * index); }
  // All lines of a cell at once, up to 1 KiB: what its first line says of its size comes a cache
  // miss later.
  [[gnu::always_inline]] void PrefetchCell(uint32_t index) const {
    constexpr uint32_t kMaxBytes = 16 * kCacheLine;
    const uint32_t begin = Load16(offsets() + 2 * index);
    const uint32_t next =
        index + 1 < count() ? Load16(offsets() + 2 * (index + 1)) : PageDataEndField(page_);
    const uint32_t end = std::min(next, begin + kMaxBytes);
    for (uint32_t at = begin / kCacheLine * kCacheLine; at < end; at += kCacheLine) {
      __builtin_prefetch(page_ + at);
    }
  }
  // Among the records from `begin` on that have the head of `rest`, what follows the prefix.
  Position LowerBoundAmongEqual(uint32_t begin, std::string_view rest) const;

  const char* page_;
};

class InnerView {
 public:
  explicit InnerView(const char* page) : page_(page) {}

  uint32_t separator_count() const { return PageCountField(page_); }
  uint32_t child_count() const { return separator_count() + 1; }
  std::string_view prefix() const { return {page_ + kPageHeaderSize, PagePrefixSizeField(page_)}; }
  PageRef child(uint32_t index) const { return LoadPageRef(children() + kPageRefSize * index); }
  // The separator in front of child `index` + 1 is prefix() and this.
  std::string_view tail(uint32_t index) const;
  std::string separator(uint32_t index) const;

  // The child below which `key` belongs: the number of separators <= key.
  uint32_t ChildFor(std::string_view key) const;

 private:
  const char* heads() const {
    return page_ + ((kPageHeaderSize + PagePrefixSizeField(page_) + 3) & ~size_t{3});
  }
  const char* children() const { return heads() + size_t{4} * separator_count(); }
  const char* offsets() const { return children() + kPageRefSize * child_count(); }

  const char* page_;
};

// Bytes of a leaf that a search will touch first, fetched while its parent is still being read:
// heads, offsets and prefix of up to 69 records.
[[gnu::always_inline]] inline void PrefetchNode(const char* page) {
  constexpr uint32_t kLines = 7;
  for (uint32_t i = 0; i < kLines; ++i) __builtin_prefetch(page + i * kCacheLine);
}

// Asks, at each cell of a walk, for what the walk will come to a few small cells or one large one
// later. The processor's own prefetchers begin too late for ten rows. (Of 256 to 1,024 bytes ahead
// 384 measured best.)
[[gnu::always_inline]] inline void PrefetchAhead(const LeafView::Cell& cell, bool forward) {
  constexpr ptrdiff_t kDistance = 6 * kCacheLine;
  constexpr ptrdiff_t kMaxBytes = 4 * kCacheLine;
  const char* begin = cell.suffix.data();
  const ptrdiff_t size = cell.payload.data() + cell.payload.size() - begin;
  const ptrdiff_t distance = std::max(kDistance, size);
  begin += forward ? distance : -distance;
  for (ptrdiff_t at = 0; at < std::min(size, kMaxBytes); at += kCacheLine) {
    __builtin_prefetch(begin + at);
  }
}

inline LeafView::Cell LeafView::cell(uint32_t index) const {
  const char* p = cell_address(index);
  // Longer than any cell's two numbers; CheckNode has seen them end within the page.
  const char* limit = p + 2 * kMaxVarint32Bytes;
  uint32_t suffix_size = 0;
  uint32_t tag = 0;
  p = GetVarint32(p, limit, &suffix_size);
  p = GetVarint32(p, limit, &tag);
  return {{p, suffix_size}, CellKind{static_cast<uint8_t>(tag & 3)}, {p + suffix_size, tag >> 2}};
}

inline std::string_view InnerView::tail(uint32_t index) const {
  const uint32_t begin = Load16(offsets() + 2 * index);
  const uint32_t end = Load16(offsets() + 2 * (index + 1));
  return {page_ + begin, end - begin};
}

}  // namespace emdb

#endif  // EMDB_PAGESTORE_NODE_H_
