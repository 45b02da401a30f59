#include "pagestore/merged_changes.h"

#include <utility>

namespace emdb {

MergedChanges::MergedChanges(const Tree& tree, absl::Span<const SliceRef> slices,
                             ChangeSource* newest, const NodeBounds& bounds, FreeSpace* free_space)
    : file_(tree.file), newest_(newest), bounds_(bounds), free_space_(free_space) {
  for (const SliceRef& slice : slices) {
    cursors_.emplace_back(SliceTree(tree, slice), TreeCursor::Plan::kReadAll);
    cursors_.back().SeekToFirst();
    CheckCursor(cursors_.back());
  }
  if (status_.ok()) FindSmallest();
}

void MergedChanges::Fail(absl::Status status) {
  status_ = std::move(status);
  valid_ = false;
}

void MergedChanges::FindSmallest() {
  valid_ = false;
  for (size_t i = 0; i <= cursors_.size(); ++i) {
    if (!SourceValid(i)) continue;
    const std::string_view key = SourceKey(i);
    if (valid_ && key >= key_) continue;
    valid_ = true;
    current_ = i;
    key_ = key;
  }
}

void MergedChanges::Next() {
  // The older ones first: key_ is the current source's.
  for (size_t i = cursors_.size(); i > current_ && valid_; --i) {
    if (SourceValid(i) && SourceKey(i) == key_) Drop(i);
  }
  if (valid_) Advance(current_);
  if (status_.ok()) FindSmallest();
}

void MergedChanges::Drop(size_t i) {
  const LeafView::Cell& cell = cursors_[i - 1].cell();
  if (cell.kind == CellKind::kExtent) {
    const ExtentRef extent = DecodeExtentRef(cell.payload.data());
    absl::Status s = free_space_->Free({extent.first, extent.pages(file_->page_size())});
    if (!s.ok()) return Fail(std::move(s));
  }
  Advance(i);
}

void MergedChanges::Advance(size_t i) {
  if (i == kNewest) {
    ++taken_;
    return newest_->Next();
  }
  TreeCursor& cursor = cursors_[i - 1];
  cursor.Next();
  CheckCursor(cursor);
}

void MergedChanges::CheckCursor(const TreeCursor& cursor) {
  if (absl::Status s = cursor.status(); !s.ok()) return Fail(std::move(s));
  if (!cursor.Valid() || (cursor.key() >= bounds_.lower && IsBelowUpper(cursor.key()))) return;
  Fail(file_->Corruption(cursor.leaf_id(),
                         "keys of a slice that are not within its node's separators"));
}

std::string_view MergedChanges::value() const {
  if (current_ == kNewest) return newest_->value();
  const LeafView::Cell& cell = cursors_[current_ - 1].cell();
  return cell.kind == CellKind::kInline ? cell.payload : std::string_view();
}

bool MergedChanges::is_deletion() const {
  return current_ == kNewest ? newest_->is_deletion() : cursors_[current_ - 1].is_tombstone();
}

std::optional<ExtentRef> MergedChanges::extent() const {
  if (current_ == kNewest) return std::nullopt;
  const LeafView::Cell& cell = cursors_[current_ - 1].cell();
  if (cell.kind != CellKind::kExtent) return std::nullopt;
  return DecodeExtentRef(cell.payload.data());
}

}  // namespace emdb
