#include "pagestore/slice_policy.h"

#include <algorithm>

#include "pagestore/slice.h"
#include "pagestore/slice_builder.h"

namespace emdb {
namespace {

// Merging may write this many pages for each page that a slice would take.
constexpr uint64_t kMergeRatio = 4;
// Slices are folded when they hold this much of what the leaves do, in hundredths.
constexpr uint64_t kLeastShare = 35;
constexpr uint64_t kMostShare = 75;
// And looked at when there are this many; the rest of kMaxSlices is for changes that make several.
constexpr uint32_t kLeastSlices = 7;
constexpr uint32_t kMostSlices = 12;
// Fewer are not worth writing again to have one in their place.
constexpr uint32_t kLeastJoined = 4;
// A slice of more of what the leaves have than one in this many is not small.
constexpr uint32_t kSmallPart = 16;

// Spreads the numbers of nodes over 0 to 255.
uint32_t Spread(uint32_t number) { return number * uint32_t{0x9e3779b1} >> 24; }

}  // namespace

SlicePolicy::SlicePolicy(const Node& node) : node_(node) {
  const uint64_t place = Spread(node.number);
  const uint64_t share = kLeastShare + place * (kMostShare - kLeastShare) / 255;
  most_pages_ = node.leaves * share / 100;
  most_slices_ = static_cast<uint32_t>(kLeastSlices + place * (kMostSlices - kLeastSlices) / 255);
}

bool SlicePolicy::IsSmall(uint32_t slice_pages, uint32_t leaves) {
  return slice_pages <= leaves / kSmallPart;
}

uint64_t SlicePolicy::MostBytes() const {
  // From there on, merging takes as little space even if every leaf is touched; without slices it
  // is as good much earlier.
  if (node_.saves_space) return uint64_t{node_.leaves} * node_.page_size;
  if (node_.slices.count == 0) return uint64_t{node_.leaves} * node_.page_size / kMergeRatio;
  return most_pages_ * node_.page_size;
}

uint64_t SlicePolicy::EmptiedPages(const Changes& changes) const {
  return changes.deletions * node_.record_bytes / node_.page_size;
}

uint64_t SlicePolicy::MergedPages(const Changes& changes) const {
  return changes.touched_leaves - std::min<uint64_t>(changes.touched_leaves, EmptiedPages(changes));
}

bool SlicePolicy::Fits(const Changes& changes, NodeAction action) const {
  uint64_t slices = node_.slices.count;
  uint64_t records = changes.records;
  uint64_t bytes = changes.bytes;
  if (action == NodeAction::kJoinSlices) {
    slices -= node_.young.count;
    records += node_.young.records;
    bytes += uint64_t{node_.young.pages} * node_.page_size;
  }
  return slices + SliceBuilder::MostSlices(node_.page_size, records, bytes) <= node_.slice_room;
}

NodeAction SlicePolicy::Choose(const Changes& changes) const {
  const uint64_t new_pages = 1 + PagesOf(changes.bytes);
  if (changes.records == 0 || changes.longest_key > SliceBuilder::kMaxKeySize) {
    return NodeAction::kMerge;
  }
  if (node_.saves_space) {
    for (const NodeAction action : {NodeAction::kAddSlice, NodeAction::kJoinSlices}) {
      if (Fits(changes, action)) return action;
    }
  }
  // Nothing might come to such a node any more, and what was deleted would stay with its slices.
  if (EmptiedPages(changes) >= node_.leaves / 2) return NodeAction::kMerge;
  if (node_.slices.count == 0 && MergedPages(changes) <= kMergeRatio * new_pages) {
    return NodeAction::kMerge;
  }
  if (node_.slices.pages + new_pages > most_pages_) return NodeAction::kMerge;
  NodeAction action = NodeAction::kAddSlice;
  if (node_.slices.count >= most_slices_) {
    // Many small ones: with one in their place reads have less to look at, and folding can wait.
    if (node_.young.count < kLeastJoined) return NodeAction::kMerge;
    action = NodeAction::kJoinSlices;
  }
  return Fits(changes, action) ? action : NodeAction::kMerge;
}

}  // namespace emdb
