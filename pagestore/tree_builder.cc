#include "pagestore/tree_builder.h"

#include <algorithm>
#include <utility>

#include "pagestore/slice.h"
#include "storage/status.h"

namespace emdb {
namespace {

// Of a page, in hundredths: the fill of pages amid a tree, below which the last of a run is evened
// out with the one before, and below which a lone page takes in its neighbour.
constexpr size_t kFill = 90;
constexpr size_t kEvenOut = 40;
constexpr size_t kSmall = 25;

// Where to cut `items` in two nodes of about equal size; `fallback` if neither place near the
// middle leaves two that fit.
size_t EvenCut(const NodeItems& items, size_t capacity, size_t fallback) {
  const size_t half = items.NodeSize() / 2;
  size_t low = 1;
  size_t high = items.size() - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (items.NodeSize(0, middle) < half) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (const size_t cut : {low, low - 1}) {
    if (cut > 0 && items.NodeSize(0, cut) <= capacity &&
        items.NodeSize(cut, items.size()) <= capacity) {
      return cut;
    }
  }
  return fallback;
}

}  // namespace

TreeBuilder::TreeBuilder(const PageFile* file, PageWriter* writer, PageCache* cache,
                         uint64_t generation)
    : file_(file),
      writer_(writer),
      cache_(cache),
      generation_(generation),
      page_size_(file->page_size()) {}

TreeBuilder::Level& TreeBuilder::At(uint32_t level) {
  while (levels_.size() <= level) levels_.emplace_back(static_cast<uint8_t>(levels_.size()));
  return levels_[level];
}

size_t TreeBuilder::Capacity(uint32_t level) const {
  const size_t capacity = NodeCapacity(page_size_);
  return level == 1 ? capacity - kSliceListSize : capacity;
}

size_t TreeBuilder::FillLimit(uint32_t level) const {
  return append_ ? Capacity(level) : Capacity(level) * kFill / 100;
}

void TreeBuilder::BeginRun(std::string_view lower) {
  if (in_run_) return;
  in_run_ = true;
  run_lower_.assign(lower);
  last_key_.clear();
}

absl::Status TreeBuilder::Add(uint32_t level, const NodeItems::Entry& entry) {
  Level& at = At(level);
  if (!at.open.empty() && at.open.NodeSizeWith(entry) > FillLimit(level)) {
    if (!at.closed.empty()) {
      EMDB_RETURN_IF_ERROR(Write(level, at.closed, 0, at.closed.size()));
    }
    std::swap(at.closed, at.open);
    at.open.Clear();
  }
  at.open.Add(entry);
  return absl::OkStatus();
}

absl::Status TreeBuilder::AddSubtree(std::string_view lower, PageRef ref, uint32_t level) {
  for (uint32_t l = 0; l <= level && l < levels_.size(); ++l) EMDB_RETURN_IF_ERROR(EndRun(l));
  // Also a run without a record, from before there was any level.
  in_run_ = false;
  char payload[kPageRefSize];
  StorePageRef(payload, ref);
  return Add(level + 1, {lower, {}, CellKind::kInline, {payload, kPageRefSize}});
}

bool TreeBuilder::WantsNeighbour(uint32_t level) const {
  for (uint32_t l = 0; l <= level && l < levels_.size(); ++l) {
    const Level& at = levels_[l];
    if (at.closed.empty() && !at.open.empty() && at.open.NodeSize() < Capacity(l) * kSmall / 100) {
      return true;
    }
  }
  return false;
}

absl::Status TreeBuilder::EndRun(uint32_t level) {
  Level& at = At(level);
  if (!at.closed.empty()) {
    const size_t cut = at.closed.size();
    if (!append_ && at.open.NodeSize() < Capacity(level) * kEvenOut / 100) {
      at.closed.Append(at.open);
      at.open.Clear();
      EMDB_RETURN_IF_ERROR(WriteEvenly(level, at.closed, cut));
    } else {
      EMDB_RETURN_IF_ERROR(Write(level, at.closed, 0, cut));
    }
    at.closed.Clear();
  }
  if (!at.open.empty()) {
    EMDB_RETURN_IF_ERROR(Write(level, at.open, 0, at.open.size()));
    at.open.Clear();
  }
  return absl::OkStatus();
}

absl::Status TreeBuilder::WriteEvenly(uint32_t level, const NodeItems& items, size_t fallback_cut) {
  if (items.NodeSize() <= Capacity(level)) return Write(level, items, 0, items.size());
  const size_t cut = EvenCut(items, Capacity(level), fallback_cut);
  EMDB_RETURN_IF_ERROR(Write(level, items, 0, cut));
  return Write(level, items, cut, items.size());
}

std::string TreeBuilder::LeafSeparator(const NodeItems& items, size_t begin) const {
  if (last_key_.empty()) return run_lower_;
  return std::string(ShortestSeparator(last_key_, items.key(begin)));
}

absl::Status TreeBuilder::Write(uint32_t level, const NodeItems& items, size_t begin, size_t end) {
  EMDB_ASSIGN_OR_RETURN(const PageWriter::Slot slot, writer_->NextPage());
  items.Build(begin, end, {slot.first, generation_}, slot.data, page_size_);
  const PageRef ref = SealPage(file_->crc_seed(), slot.data, page_size_);
  cache_->Insert(ref.id, slot.data, /*evict=*/level > 0 || evict_for_leaves_);
  levels_[level].any_written = true;
  const std::string separator =
      level == 0 ? LeafSeparator(items, begin) : std::string(items.key(begin));
  if (level == 0) last_key_.assign(items.key(end - 1));
  char payload[kPageRefSize];
  StorePageRef(payload, ref);
  return Add(level + 1, {separator, {}, CellKind::kInline, {payload, kPageRefSize}});
}

absl::StatusOr<TreeBuilder::Root> TreeBuilder::Finish() {
  for (uint32_t level = 0; level < levels_.size(); ++level) {
    const Level& at = levels_[level];
    const bool is_top = level + 1 == levels_.size();
    const size_t left = at.closed.size() + at.open.size();
    if (is_top && !at.any_written && left == 0) break;
    if (is_top && level > 0 && !at.any_written && left == 1) {
      return Root{at.open.child(0), level};
    }
    EMDB_RETURN_IF_ERROR(EndRun(level));
  }
  return Root{};
}

}  // namespace emdb
