#include "kv/merging_iterator.h"

#include <utility>

namespace emdb {

MergingIterator::MergingIterator(std::shared_ptr<const ReadState> state,
                                 std::unique_ptr<Cursor> tree, uint64_t seq_limit, Bounds bounds)
    : state_(std::move(state)), bounds_(std::move(bounds)), tree_(std::move(tree)) {
  if (!state_->active->empty()) memtables_.emplace_back(state_->active.get(), seq_limit);
  for (const std::shared_ptr<Memtable>& table : state_->frozen) {
    if (!table->empty()) memtables_.emplace_back(table.get(), seq_limit);
  }
}

// ---- Sources
// --------------------------------------------------------------------------------------------------

void MergingIterator::LoadTreePosition() {
  tree_valid_ = tree_->Valid();
  if (tree_valid_) {
    tree_key_ = tree_->key();
  } else if (absl::Status s = tree_->status(); !s.ok()) {
    status_ = std::move(s);
  }
}

void MergingIterator::SourceSeek(size_t i, std::string_view target) {
  if (i < tree_index()) return memtables_[i].Seek(target);
  tree_->Seek(target);
  LoadTreePosition();
}

void MergingIterator::SourceSeekForPrev(size_t i, std::string_view target) {
  if (i < tree_index()) return memtables_[i].SeekForPrev(target);
  tree_->SeekForPrev(target);
  LoadTreePosition();
}

void MergingIterator::SourceNext(size_t i) {
  if (i < tree_index()) return memtables_[i].Next();
  tree_->Next();
  LoadTreePosition();
}

void MergingIterator::SourcePrev(size_t i) {
  if (i < tree_index()) return memtables_[i].Prev();
  tree_->Prev();
  LoadTreePosition();
}

// ---- Moves
// ----------------------------------------------------------------------------------------------------

void MergingIterator::Seek(std::string_view target) {
  status_ = absl::OkStatus();
  if (!bounds_.lower.empty() && target < bounds_.lower) target = bounds_.lower;
  direction_ = Direction::kForward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeek(i, target);
  FindForward();
}

void MergingIterator::SeekToFirst() { Seek(bounds_.lower); }

void MergingIterator::SeekToLast() {
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  if (!bounds_.upper.empty()) {
    key_ = bounds_.upper;
    TurnBackward();
  } else {
    for (MemtableIterator& memtable : memtables_) memtable.SeekToLast();
    tree_->SeekToLast();
    LoadTreePosition();
  }
  FindBackward();
}

void MergingIterator::SeekForPrev(std::string_view target) {
  if (!bounds_.upper.empty() && target >= bounds_.upper) return SeekToLast();
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeekForPrev(i, target);
  FindBackward();
}

void MergingIterator::Next() {
  if (direction_ == Direction::kBackward) {
    TurnForward();
  } else {
    StepFrom(key_);
  }
  FindForward();
}

void MergingIterator::Prev() {
  if (direction_ == Direction::kForward) {
    TurnBackward();
  } else {
    StepFrom(key_);
  }
  FindBackward();
}

void MergingIterator::TurnForward() {
  // A copy: key_ points into a source that moves.
  const std::string key(key_);
  direction_ = Direction::kForward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeek(i, key);
  StepFrom(key);
}

void MergingIterator::TurnBackward() {
  const std::string key(key_);
  direction_ = Direction::kBackward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeekForPrev(i, key);
  StepFrom(key);
}

void MergingIterator::StepFrom(std::string_view key) {
  // The tree first: `key` may be its bytes only while it stands there, so it is compared before
  // anything moves.
  const bool tree_is_there = tree_valid_ && tree_key_ == key;
  for (size_t i = 0; i < tree_index(); ++i) {
    if (!memtables_[i].Valid() || memtables_[i].key() != key) continue;
    direction_ == Direction::kForward ? memtables_[i].Next() : memtables_[i].Prev();
  }
  if (tree_is_there)
    direction_ == Direction::kForward ? SourceNext(tree_index()) : SourcePrev(tree_index());
}

size_t MergingIterator::Nearest() const {
  size_t nearest = kNone;
  for (size_t i = 0; i <= tree_index(); ++i) {
    if (!SourceValid(i)) continue;
    if (nearest == kNone) {
      nearest = i;
      continue;
    }
    const int order = SourceKey(i).compare(SourceKey(nearest));
    if (direction_ == Direction::kForward ? order < 0 : order > 0) nearest = i;
  }
  return nearest;
}

void MergingIterator::FindForward() {
  for (;;) {
    const size_t nearest = memtables_.empty() ? (tree_valid_ ? tree_index() : kNone) : Nearest();
    if (nearest != kNone && !bounds_.upper.empty() && SourceKey(nearest) >= bounds_.upper) {
      return SetCurrent(kNone);
    }
    if (nearest == kNone || nearest == tree_index() || !memtables_[nearest].is_deletion()) {
      return SetCurrent(nearest);
    }
    StepFrom(memtables_[nearest].key());
  }
}

void MergingIterator::FindBackward() {
  for (;;) {
    const size_t nearest = memtables_.empty() ? (tree_valid_ ? tree_index() : kNone) : Nearest();
    if (nearest != kNone && SourceKey(nearest) < bounds_.lower) return SetCurrent(kNone);
    if (nearest == kNone || nearest == tree_index() || !memtables_[nearest].is_deletion()) {
      return SetCurrent(nearest);
    }
    StepFrom(memtables_[nearest].key());
  }
}

void MergingIterator::SetCurrent(size_t source) {
  current_ = source;
  if (source != kNone) key_ = SourceKey(source);
}

std::string_view MergingIterator::value() const {
  if (current_ < tree_index()) return memtables_[current_].value();
  const std::string_view value = tree_->value();
  if (value.empty()) status_ = tree_->status();
  return value;
}

}  // namespace emdb
