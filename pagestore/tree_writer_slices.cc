// The half of TreeWriter that deals with slices.

#include <algorithm>
#include <memory>
#include <utility>

#include "pagestore/slice_builder.h"
#include "pagestore/tree_writer.h"
#include "storage/status.h"

namespace emdb {
namespace {

// Of the `count` newest slices.
SlicePolicy::Slices SumOf(const SliceList& slices, uint32_t count) {
  SlicePolicy::Slices sum;
  sum.count = count;
  for (uint32_t i = 0; i < count; ++i) {
    sum.pages += slices.at(i).pages;
    sum.records += slices.at(i).records;
  }
  return sum;
}

}  // namespace

absl::Status TreeWriter::MergeLeafParent(PageRef ref, const char* page, const Bounds& bounds) {
  EMDB_ASSIGN_OR_RETURN(const NodeAction action, ChooseAction(ref, page, bounds));
  switch (action) {
    case NodeAction::kMerge:
      return SliceList(page).size() > 0 ? FoldNode(page, bounds)
                                        : MergeChildren(InnerView(page), 1, bounds);
    case NodeAction::kAddSlice:
      return AddSlices(page, bounds);
    case NodeAction::kJoinSlices:
      return JoinSlices(page, bounds);
  }
  return absl::InternalError("unknown action");
}

absl::StatusOr<NodeAction> TreeWriter::ChooseAction(PageRef ref, const char* page,
                                                    const Bounds& bounds) {
  // A node that is kept would end the run in front of it, which may be too small to be one.
  const bool may_add_slices = target_.may_add_slices || target_.saves_space;
  if (!may_add_slices || rewrite_ || builder_.WantsNeighbour(1)) return NodeAction::kMerge;
  EMDB_ASSIGN_OR_RETURN(const bool is_to_rewrite, IsToRewrite(ref, 1));
  const std::unique_ptr<ChangeSource> fork = is_to_rewrite ? nullptr : changes_->Fork();
  if (fork == nullptr) return NodeAction::kMerge;

  const InnerView node(page);
  const SliceList slices(page);
  const SlicePolicy policy({.page_size = tree_.file->page_size(),
                            .leaves = node.child_count(),
                            .slice_room = SliceRoom(page, tree_.file->page_size()),
                            .slices = SumOf(slices, slices.size()),
                            .young = SumOf(slices, SlicesToJoin(page)),
                            .record_bytes = target_.record_bytes,
                            .number = node.child(0).id,
                            .saves_space = target_.saves_space});
  const SlicePolicy::Changes changes = CountChanges(fork.get(), node, bounds, policy.MostBytes());
  return changes.bytes > policy.MostBytes() ? NodeAction::kMerge : policy.Choose(changes);
}

SlicePolicy::Changes TreeWriter::CountChanges(ChangeSource* fork, const InnerView& node,
                                              const Bounds& bounds, uint64_t most_bytes) const {
  SlicePolicy::Changes changes;
  uint32_t last_child = UINT32_MAX;
  for (; fork->Valid() && changes.bytes <= most_bytes; fork->Next()) {
    const std::string_view key = fork->key();
    if (bounds.upper && key >= *bounds.upper) break;
    const size_t value_size = fork->is_deletion() ? 0 : fork->value().size();
    const bool is_inline = IsInlineValue(tree_.file->page_size(), key.size(), value_size);
    const uint32_t child = node.ChildFor(key);
    changes.touched_leaves += child != last_child ? 1 : 0;
    last_child = child;
    changes.records++;
    changes.deletions += fork->is_deletion() ? 1 : 0;
    changes.bytes += key.size() + (is_inline ? value_size : kExtentRefSize);
    changes.longest_key = std::max<uint64_t>(changes.longest_key, key.size());
  }
  return changes;
}

absl::Status TreeWriter::FoldNode(const char* page, const Bounds& bounds) {
  const InnerView node(page);
  // Rewrite reads leaves only.
  if (rewrite_) {
    return tree_.file->Corruption(PageIdField(page), "a node with slices that no header counts");
  }
  const SliceList slices(page);
  const uint64_t pages = node.child_count() + SumOf(slices, slices.size()).pages;
  if (fold_left_ > 0) fold_from_ = bounds.upper.value_or(std::string_view());
  fold_left_ -= std::min(fold_left_, pages);
  return WithSlices(page, slices.size(), bounds, [&] { return MergeChildren(node, 1, bounds); });
}

absl::Status TreeWriter::AddSlices(const char* page, const Bounds& bounds) {
  EMDB_ASSIGN_OR_RETURN(std::vector<SliceRef> slices, WriteSlices(bounds));
  const SliceList old(page);
  for (uint32_t i = 0; i < old.size(); ++i) slices.push_back(old.at(i));
  return WriteBufferedNode(page, slices, bounds.lower);
}

uint32_t TreeWriter::SlicesToJoin(const char* page) const {
  const SliceList slices(page);
  if (target_.saves_space) return slices.size();
  const uint32_t leaves = InnerView(page).child_count();
  uint32_t count = 0;
  while (count < slices.size() && SlicePolicy::IsSmall(slices.at(count).pages, leaves)) ++count;
  return count;
}

absl::Status TreeWriter::JoinSlices(const char* page, const Bounds& bounds) {
  std::vector<SliceRef> slices;
  const uint32_t joined = SlicesToJoin(page);
  EMDB_RETURN_IF_ERROR(WithSlices(page, joined, bounds, [&]() -> absl::Status {
    EMDB_ASSIGN_OR_RETURN(slices, WriteSlices(bounds));
    return absl::OkStatus();
  }));
  const SliceList old(page);
  for (uint32_t i = joined; i < old.size(); ++i) slices.push_back(old.at(i));
  return WriteBufferedNode(page, slices, bounds.lower);
}

absl::StatusOr<std::vector<SliceRef>> TreeWriter::WriteSlices(const Bounds& bounds) {
  SliceBuilder builder({tree_.file, target_.writer, tree_.cache, target_.generation});
  for (; IsTouched(bounds.upper); NextChange()) {
    EMDB_RETURN_IF_ERROR(CheckChange());
    char extent[kExtentRefSize];
    EMDB_ASSIGN_OR_RETURN(const NodeItems::Entry entry, EntryOfChange(extent));
    EMDB_RETURN_IF_ERROR(builder.Add(entry));
  }
  EMDB_ASSIGN_OR_RETURN(std::vector<SliceRef> slices, builder.Finish());
  for (const SliceRef& slice : slices) {
    difference_.slice_pages += slice.pages;
    difference_.slice_records += slice.records;
  }
  return slices;
}

absl::Status TreeWriter::WriteBufferedNode(const char* page, absl::Span<const SliceRef> slices,
                                           std::string_view lower) {
  const uint32_t page_size = tree_.file->page_size();
  EMDB_ASSIGN_OR_RETURN(const PageWriter::Slot slot, target_.writer->NextPage());
  BuildBufferedNode(page, slices, slot.first, target_.generation, {slot.data, page_size});
  const PageRef ref = SealPage(tree_.file->crc_seed(), slot.data, page_size);
  tree_.cache->Insert(ref.id, slot.data, /*evict=*/true);
  return builder_.AddSubtree(lower, ref, 1);
}

absl::Status TreeWriter::WithSlices(const char* page, uint32_t count, const Bounds& bounds,
                                    absl::FunctionRef<absl::Status()> work) {
  const SliceList list(page);
  std::vector<SliceRef> slices;
  for (uint32_t i = 0; i < count; ++i) slices.push_back(list.at(i));
  ChangeSource* const own = changes_;
  MergedChanges merged(tree_, slices, own, bounds, target_.free_space);
  changes_ = &merged;
  folding_ = &merged;
  absl::Status status = work();
  changes_ = own;
  folding_ = nullptr;
  changes_done_ += merged.taken();
  EMDB_RETURN_IF_ERROR(status);
  EMDB_RETURN_IF_ERROR(merged.status());
  for (const SliceRef& slice : slices) EMDB_RETURN_IF_ERROR(FreeSlice(slice));
  return absl::OkStatus();
}

absl::Status TreeWriter::FreeSlice(const SliceRef& slice) {
  EMDB_ASSIGN_OR_RETURN(const PagePin pin, LoadInner(slice.root, kSliceHeight - 1));
  const InnerView root(pin.data());
  if (PageKindField(pin.data()) != PageKind::kSliceRoot || root.child_count() + 1 != slice.pages) {
    return tree_.file->Corruption(slice.root.id, "not the slice that its node refers to");
  }
  for (uint32_t i = 0; i < root.child_count(); ++i) {
    EMDB_RETURN_IF_ERROR(target_.free_space->Free({root.child(i).id, 1}));
  }
  difference_.slice_pages -= slice.pages;
  difference_.slice_records -= slice.records;
  return target_.free_space->Free({slice.root.id, 1});
}

}  // namespace emdb
