#include "kv/merging_iterator.h"

#include <algorithm>
#include <utility>

namespace emdb {

MergingIterator::MergingIterator(const ReadState* state, std::unique_ptr<Cursor> tree,
                                 uint64_t seq_limit, const Bounds& bounds)
    : state_(state),
      seq_limit_(seq_limit),
      lower_(bounds.lower),
      upper_(bounds.upper),
      tree_(std::move(tree)) {
  if (!state_->active->empty()) memtables_.emplace_back(state_->active.get(), seq_limit);
  for (const std::shared_ptr<Memtable>& table : state_->frozen) {
    if (!table->empty()) memtables_.emplace_back(table.get(), seq_limit);
  }
}

// ---- Sources
// --------------------------------------------------------------------------------------------------

void MergingIterator::KeepTreeError() {
  if (absl::Status s = tree_->status(); !s.ok()) status_ = std::move(s);
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

void MergingIterator::SourceSeekToEnd(size_t i) {
  if (i < tree_index()) {
    memtables_[i].SeekToLast();
    if (memtables_[i].Valid()) memtables_[i].Next();
    return;
  }
  tree_->SeekToLast();
  if (tree_->Valid()) tree_->Next();
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
  if (!lower_.empty() && target < lower_) target = lower_;
  direction_ = Direction::kForward;
  target_.Assign(target);
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeek(i, target_.view());
  FindNearest();
}

void MergingIterator::SeekToFirst() { Seek(lower_); }

void MergingIterator::SeekToLast() {
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  if (!upper_.empty()) {
    key_ = upper_;
    TurnBackward();
  } else {
    for (MemtableIterator& memtable : memtables_) memtable.SeekToLast();
    tree_->SeekToLast();
    LoadTreePosition();
  }
  FindNearest();
}

void MergingIterator::SeekForPrev(std::string_view target) {
  if (!upper_.empty() && target >= upper_) return SeekToLast();
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  target_.Assign(target);
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeekForPrev(i, target_.view());
  FindNearest();
}

void MergingIterator::Next() {
  if (direction_ == Direction::kForward && memtables_.empty()) [[likely]] {
    tree_->Next();
    return TakeTreePosition();
  }
  direction_ == Direction::kForward ? StepFrom(key_) : TurnForward();
  FindNearest();
}

void MergingIterator::Prev() {
  if (direction_ == Direction::kBackward && memtables_.empty()) [[likely]] {
    tree_->Prev();
    return TakeTreePosition();
  }
  direction_ == Direction::kBackward ? StepFrom(key_) : TurnBackward();
  FindNearest();
}

void MergingIterator::TurnForward() {
  target_.Assign(key_);
  direction_ = Direction::kForward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeek(i, target_.view());
  StepFrom(target_.view());
}

void MergingIterator::TurnBackward() {
  target_.Assign(key_);
  direction_ = Direction::kBackward;
  for (size_t i = 0; i <= tree_index(); ++i) SourceSeekForPrev(i, target_.view());
  StepFrom(target_.view());
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
  if (memtables_.empty()) return tree_valid_ ? tree_index() : kNone;
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

void MergingIterator::FindNearest() {
  size_t nearest = Nearest();
  if (nearest != kNone && IsDeletion(nearest)) [[unlikely]]
    nearest = PassDeletions(nearest);
  SetCurrent(nearest != kNone && WithinBound(SourceKey(nearest)) ? nearest : kNone);
}

// ---- Runs of deletions
// --------------------------------------------------------------------------------------------------

size_t MergingIterator::PassDeletions(size_t nearest) {
  Passed passed;
  while (nearest != kNone && IsDeletion(nearest) && WithinBound(SourceKey(nearest))) {
    PassDeletion(nearest, &passed);
    nearest = Nearest();
  }
  if (passed.count >= kLongRun) RememberRun(std::move(passed), nearest);
  return nearest;
}

void MergingIterator::PassDeletion(size_t source, Passed* passed) {
  const std::string_view key = memtables_[source].key();
  if (passed->count == 0) passed->first = key;
  passed->last = key;
  passed->count++;
  if (passed->count == kLongRun && JumpOverRun(passed)) return;
  passed_deletions_++;
  StepFrom(key);
}

bool MergingIterator::JumpOverRun(Passed* passed) {
  std::optional<DeletedRuns::Run> run = state_->deleted_runs.Find(passed->last, seq_limit_);
  // What was put into it since then is in the active memtable: see RememberRun.
  if (!run || state_->active->MayHavePut({run->begin, run->end}, run->seq)) return false;
  for (size_t i = 0; i <= tree_index(); ++i) {
    if (direction_ == Direction::kBackward) {
      SourceSeekForPrev(i, run->begin);
    } else if (run->end) {
      SourceSeek(i, *run->end);
    } else {
      SourceSeekToEnd(i);
    }
  }
  if (direction_ == Direction::kBackward) StepFrom(run->begin);
  passed->jumped = std::move(run);
  return true;
}

void MergingIterator::RememberRun(Passed passed, size_t nearest) const {
  const uint32_t worthwhile = passed.jumped ? 2 * kLongRun : kLongRun;
  if (passed.count < worthwhile || !status_.ok()) return;
  const Memtable& active = *state_->active;
  active.WatchPuts();
  // Puts that this read does not see must be known to the active memtable, all of them.
  const bool all_known = active.KnowsPutsFrom(seq_limit_) &&
                         std::all_of(state_->frozen.begin(), state_->frozen.end(),
                                     [this](const auto& t) { return t->end_seq() <= seq_limit_; });
  if (!all_known) return;

  DeletedRuns::Run run;
  run.seq = seq_limit_;
  if (direction_ == Direction::kForward) {
    run.begin = passed.first;
    if (nearest != kNone) run.end = SourceKey(nearest);
  } else {
    run.begin = passed.last;
    run.end = std::string(passed.first).append(1, '\0');
  }
  if (passed.jumped) {
    run.begin = std::min(run.begin, passed.jumped->begin);
    if (!passed.jumped->end) run.end.reset();
    if (run.end) run.end = std::max(*run.end, *passed.jumped->end);
  }
  state_->deleted_runs.Add(std::move(run));
}

std::string_view MergingIterator::value() const {
  if (current_ < tree_index()) return memtables_[current_].value();
  const std::string_view value = tree_->value();
  if (value.empty()) status_ = tree_->status();
  return value;
}

}  // namespace emdb
