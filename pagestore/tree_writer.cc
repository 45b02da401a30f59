#include "pagestore/tree_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pagestore/no_changes.h"
#include "pagestore/value_reader.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint32_t kReadAheadBytes = 1 << 20;
constexpr uint64_t kProgressInterval = 1024;
// Leaves that leave the cache together: they wait for readers together.
constexpr size_t kMergedAtOnce = 64;

}  // namespace

TreeWriter::TreeWriter(const Tree& old_tree, const Target& target)
    : tree_(old_tree),
      target_(target),
      builder_(old_tree.file, target.writer, old_tree.cache, target.generation),
      read_ahead_(old_tree.file, kReadAheadBytes / old_tree.file->page_size()) {}

absl::StatusOr<TreeBuilder::Root> TreeWriter::Merge(ChangeSource* changes,
                                                    const Progress& progress) {
  changes_ = changes;
  progress_ = &progress;
  EMDB_ASSIGN_OR_RETURN(const TreeBuilder::Root root, Run());
  EMDB_RETURN_IF_ERROR(changes->status());
  return root;
}

absl::StatusOr<TreeBuilder::Root> TreeWriter::Fold(uint64_t pages, std::string* from) {
  fold_left_ = pages;
  fold_from_ = *from;
  NoChanges none;
  EMDB_ASSIGN_OR_RETURN(const TreeBuilder::Root root, Merge(&none, nullptr));
  *from = fold_left_ > 0 ? std::string() : fold_from_;
  return root;
}

absl::StatusOr<TreeBuilder::Root> TreeWriter::Rewrite() {
  rewrite_ = true;
  builder_.set_append(true);
  return Run();
}

absl::StatusOr<TreeBuilder::Root> TreeWriter::Run() {
  if (tree_.height > 0) {
    EMDB_ASSIGN_OR_RETURN(const bool rewrite, IsToRewrite(tree_.root, tree_.root_level()));
    if (!rewrite && !IsTouched(std::nullopt)) return TreeBuilder::Root{tree_.root, tree_.height};
    EMDB_RETURN_IF_ERROR(MergeNode(tree_.root, tree_.root_level(), {{}, std::nullopt}));
  }
  EMDB_RETURN_IF_ERROR(AppendChanges());
  EMDB_ASSIGN_OR_RETURN(const TreeBuilder::Root root, builder_.Finish());
  EMDB_RETURN_IF_ERROR(target_.writer->Finish());
  return root;
}

absl::StatusOr<bool> TreeWriter::IsToRewrite(PageRef ref, uint32_t level) {
  if (level > 0 && target_.packs_inner_nodes) return true;
  const bool moves = target_.move_from != UINT32_MAX;
  if (!moves && fold_left_ == 0) return false;
  if (ref.id >= target_.move_from) return true;
  if (level == 0) return false;
  EMDB_ASSIGN_OR_RETURN(const PagePin pin, LoadInner(ref, level));
  if (fold_left_ > 0 && SliceList(pin.data()).size() > 0) return true;
  if (!moves && level == 1) return false;
  const InnerView node(pin.data());
  for (uint32_t i = FirstToRewrite(node); i < node.child_count(); ++i) {
    EMDB_ASSIGN_OR_RETURN(const bool rewrite, IsToRewrite(node.child(i), level - 1));
    if (rewrite) return true;
  }
  return false;
}

uint32_t TreeWriter::FirstToRewrite(const InnerView& node) const {
  const bool folds_only = target_.move_from == UINT32_MAX && !target_.packs_inner_nodes;
  return folds_only ? node.ChildFor(fold_from_) : 0;
}

absl::StatusOr<PagePin> TreeWriter::LoadInner(PageRef ref, uint32_t level) {
  EMDB_ASSIGN_OR_RETURN(PagePin pin, tree_.cache->Load(ref, level, PageCache::Use::kPoint));
  if (PageLevelField(pin.data()) != level) {
    return tree_.file->Corruption(ref.id, "a node of another level than its parent says");
  }
  return pin;
}

bool TreeWriter::IsTouched(const std::optional<std::string_view>& upper) const {
  if (rewrite_) return true;
  return changes_->Valid() && (!upper || changes_->key() < *upper);
}

absl::Status TreeWriter::MergeNode(PageRef ref, uint32_t level, const Bounds& bounds) {
  if (level == 0) {
    EMDB_ASSIGN_OR_RETURN(const char* page, ReadLeaf(ref, nullptr, 0));
    EMDB_RETURN_IF_ERROR(MergeLeaf(page, bounds));
  } else {
    EMDB_ASSIGN_OR_RETURN(const PagePin pin, LoadInner(ref, level));
    const InnerView node(pin.data());
    if (const uint32_t n = node.separator_count(); n > 0) {
      EMDB_RETURN_IF_ERROR(CheckBounds(ref.id, node.separator(0), node.separator(n - 1), bounds));
    }
    EMDB_RETURN_IF_ERROR(level == 1 ? MergeLeafParent(ref, pin.data(), bounds)
                                    : MergeChildren(node, level, bounds));
  }
  return target_.free_space->Free({ref.id, 1});
}

absl::Status TreeWriter::CheckBounds(PageId id, std::string_view first, std::string_view last,
                                     const Bounds& bounds) const {
  if (first >= bounds.lower && (!bounds.upper || last < *bounds.upper)) return absl::OkStatus();
  return tree_.file->Corruption(id, "keys of a node that are not within its parent's separators");
}

absl::Status TreeWriter::MergeChildren(const InnerView& node, uint32_t level,
                                       const Bounds& bounds) {
  const uint32_t first_to_rewrite = FirstToRewrite(node);
  std::string lower(bounds.lower);
  std::string upper;
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    Bounds child = {lower, bounds.upper};
    if (i < node.separator_count()) {
      upper.assign(node.prefix()).append(node.tail(i));
      child.upper = upper;
    }
    bool rewrite = IsTouched(child.upper) || builder_.WantsNeighbour(level - 1);
    if (!rewrite && i >= first_to_rewrite) {
      EMDB_ASSIGN_OR_RETURN(rewrite, IsToRewrite(node.child(i), level - 1));
    }
    if (rewrite) {
      EMDB_RETURN_IF_ERROR(MergeChild(node, i, level, child));
    } else {
      EMDB_RETURN_IF_ERROR(builder_.AddSubtree(lower, node.child(i), level - 1));
    }
    lower.swap(upper);
  }
  return absl::OkStatus();
}

absl::Status TreeWriter::MergeChild(const InnerView& node, uint32_t index, uint32_t level,
                                    const Bounds& bounds) {
  const PageRef ref = node.child(index);
  if (level > 1) return MergeNode(ref, level - 1, bounds);
  EMDB_ASSIGN_OR_RETURN(const char* page, ReadLeaf(ref, &node, index));
  EMDB_RETURN_IF_ERROR(MergeLeaf(page, bounds));
  return FreeLeaf(ref.id);
}

// A leaf that nobody reads makes room in the cache for the one that takes its place, so that a load
// does not hold two trees in memory.
absl::Status TreeWriter::FreeLeaf(PageId id) {
  if (leaf_pin_.data() != nullptr) merged_.push_back(id);
  leaf_pin_.Reset();
  if (merged_.size() >= kMergedAtOnce) {
    tree_.cache->EraseUnused(merged_);
    merged_.clear();
  }
  return target_.free_space->Free({id, 1});
}

absl::StatusOr<const char*> TreeWriter::ReadLeaf(PageRef ref, const InnerView* parent,
                                                 uint32_t index) {
  // Where leaves are passed over, reading ahead would read what nobody wants; a fold's changes
  // leave few out.
  if (folding_ != nullptr) {
    read_ahead_.ExpectAll();
  } else if (ref != expected_leaf_) {
    read_ahead_.Restart();
  }
  const bool has_next = parent != nullptr && index + 1 < parent->child_count();
  expected_leaf_ = has_next ? parent->child(index + 1) : PageRef();
  leaf_pin_ = tree_.cache->Pin(ref.id, PageCache::Use::kSequential);
  // New leaves stay in memory where the old ones were.
  builder_.set_evict_for_leaves(leaf_pin_.data() != nullptr);
  if (leaf_pin_.data() != nullptr) return CheckLeaf(ref.id, leaf_pin_.data());
  wanted_.assign(1, ref);
  if (has_next && !read_ahead_.Holds(ref.id)) {
    for (uint32_t i = index + 1;
         i < parent->child_count() && wanted_.size() < read_ahead_.max_pages(); ++i) {
      const PageRef next = parent->child(i);
      if (!tree_.cache->Contains(next.id)) wanted_.push_back(next);
    }
  }
  EMDB_ASSIGN_OR_RETURN(const char* page, read_ahead_.Read(wanted_, 0));
  return CheckLeaf(ref.id, page);
}

absl::StatusOr<const char*> TreeWriter::CheckLeaf(PageId id, const char* page) const {
  if (PageKindField(page) == PageKind::kLeaf) return page;
  return tree_.file->Corruption(id, "a node of another kind than its parent says");
}

absl::Status TreeWriter::MergeLeaf(const char* page, const Bounds& bounds) {
  const LeafView leaf(page);
  EMDB_RETURN_IF_ERROR(
      CheckBounds(PageIdField(page), leaf.key(0), leaf.key(leaf.count() - 1), bounds));
  builder_.BeginRun(bounds.lower);
  uint32_t next = 0;
  while (!rewrite_ && IsTouched(bounds.upper)) {
    const LeafView::Position position = leaf.LowerBound(changes_->key());
    // Out of order keys would step back; CheckChange refuses them.
    EMDB_RETURN_IF_ERROR(CheckChange());
    EMDB_RETURN_IF_ERROR(CopyRecords(leaf, next, position.index));
    next = position.index;
    if (position.found) EMDB_RETURN_IF_ERROR(DropRecord(leaf, next++));
    // Behind the tree's last record pages are filled up, and left for the next checkpoint to go on.
    if (!bounds.upper && next == leaf.count()) builder_.set_append(true);
    if (!changes_->is_deletion()) EMDB_RETURN_IF_ERROR(AddChange());
    NextChange();
  }
  return CopyRecords(leaf, next, leaf.count());
}

// The changes of an empty tree; behind a tree's last leaf none are left.
absl::Status TreeWriter::AppendChanges() {
  if (rewrite_ || !changes_->Valid()) return absl::OkStatus();
  builder_.BeginRun({});
  builder_.set_append(true);
  for (; changes_->Valid(); NextChange()) {
    EMDB_RETURN_IF_ERROR(CheckChange());
    if (!changes_->is_deletion()) EMDB_RETURN_IF_ERROR(AddChange());
  }
  return absl::OkStatus();
}

absl::Status TreeWriter::CopyRecords(const LeafView& leaf, uint32_t begin, uint32_t end) {
  const std::string_view prefix = leaf.prefix();
  for (uint32_t i = begin; i < end; ++i) {
    const LeafView::Cell cell = leaf.cell(i);
    if (rewrite_ && cell.kind == CellKind::kExtent) {
      const ExtentRef extent = DecodeExtentRef(cell.payload.data());
      EMDB_RETURN_IF_ERROR(ReadValue(*tree_.file, extent, &large_value_));
      EMDB_ASSIGN_OR_RETURN(const ExtentRef moved, target_.writer->WriteValue(large_value_));
      char payload[kExtentRefSize];
      EncodeExtentRef(moved, payload);
      EMDB_RETURN_IF_ERROR(
          builder_.AddRecord({prefix, cell.suffix, cell.kind, {payload, kExtentRefSize}}));
      EMDB_RETURN_IF_ERROR(FreeExtent(extent));
    } else {
      EMDB_RETURN_IF_ERROR(builder_.AddRecord({prefix, cell.suffix, cell.kind, cell.payload}));
    }
  }
  return absl::OkStatus();
}

absl::Status TreeWriter::DropRecord(const LeafView& leaf, uint32_t index) {
  const LeafView::Cell cell = leaf.cell(index);
  --difference_.records;
  difference_.key_bytes -= static_cast<int64_t>(leaf.prefix().size() + cell.suffix.size());
  if (cell.kind == CellKind::kInline) {
    difference_.value_bytes -= static_cast<int64_t>(cell.payload.size());
    return absl::OkStatus();
  }
  const ExtentRef extent = DecodeExtentRef(cell.payload.data());
  difference_.value_bytes -= extent.size;
  return FreeExtent(extent);
}

absl::Status TreeWriter::CheckChange() const {
  const std::string_view key = changes_->key();
  if (key.empty() || key.size() > kMaxKeySize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a key of ", key.size(), " bytes, expected 1 to ", kMaxKeySize));
  }
  if (key <= last_change_key_) {
    return absl::InvalidArgumentError(absl::StrCat("keys that do not ascend: ", Shown(key),
                                                   " comes behind ", Shown(last_change_key_)));
  }
  if (!changes_->is_deletion() && changes_->value().size() > kMaxValueSize) {
    return absl::InvalidArgumentError(absl::StrCat("a value of ", changes_->value().size(),
                                                   " bytes, expected at most ", kMaxValueSize));
  }
  return absl::OkStatus();
}

absl::Status TreeWriter::AddChange() {
  char extent[kExtentRefSize];
  EMDB_ASSIGN_OR_RETURN(const NodeItems::Entry entry, EntryOfChange(extent));
  ++difference_.records;
  difference_.key_bytes += static_cast<int64_t>(entry.key_rest.size());
  difference_.value_bytes += entry.kind == CellKind::kExtent
                                 ? int64_t{DecodeExtentRef(extent).size}
                                 : static_cast<int64_t>(entry.payload.size());
  return builder_.AddRecord(entry);
}

absl::StatusOr<NodeItems::Entry> TreeWriter::EntryOfChange(char* extent_payload) {
  const std::string_view key = changes_->key();
  if (changes_->is_deletion()) return NodeItems::Entry{{}, key, CellKind::kTombstone, {}};
  std::optional<ExtentRef> extent;
  if (folding_ != nullptr) extent = folding_->extent();
  if (!extent) {
    const std::string_view value = changes_->value();
    if (IsInlineValue(tree_.file->page_size(), key.size(), value.size())) {
      return NodeItems::Entry{{}, key, CellKind::kInline, value};
    }
    EMDB_ASSIGN_OR_RETURN(extent, target_.writer->WriteValue(value));
  }
  EncodeExtentRef(*extent, extent_payload);
  return NodeItems::Entry{{}, key, CellKind::kExtent, {extent_payload, kExtentRefSize}};
}

absl::Status TreeWriter::FreeExtent(const ExtentRef& extent) {
  return target_.free_space->Free({extent.first, extent.pages(tree_.file->page_size())});
}

void TreeWriter::NextChange() {
  last_change_key_.assign(changes_->key());
  changes_->Next();
  if (folding_ == nullptr) ++changes_done_;
  if (++steps_ % kProgressInterval != 0 || !*progress_) return;
  (*progress_)(changes_done_ + (folding_ != nullptr ? folding_->taken() : 0));
}

}  // namespace emdb
