// MergingIterator: the records of a read state below a seq limit, in key order, both ways, within
// bounds: the newest version of each key from the memtables and the tree, without those that are
// deleted.
//
// Where there is nothing in the memtables it is a thin layer over the tree's cursor. Long runs of
// deletions are walked through once and remembered in the state (deleted_runs.h).

#ifndef EMDB_KV_MERGING_ITERATOR_H_
#define EMDB_KV_MERGING_ITERATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "kv/deleted_runs.h"
#include "kv/iterator.h"
#include "kv/memtable_iterator.h"
#include "kv/read_state.h"
#include "pagestore/page_store.h"
#include "storage/short_string.h"

namespace emdb {

class MergingIterator final : public Iterator {
 public:
  struct Bounds {
    std::string_view lower;  // inclusive; empty: none
    std::string_view upper;  // exclusive; empty: none
  };

  // `state` outlives the iterator; `tree` is a cursor of its tree. Copies the bounds.
  MergingIterator(const ReadState* state, std::unique_ptr<Cursor> tree, uint64_t seq_limit,
                  const Bounds& bounds);

  bool Valid() const override { return current_ != kNone && status_.ok(); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return key_; }
  std::string_view value() const override;
  absl::Status status() const override { return status_; }

  // For tests: deletions that were stepped over one by one so far.
  uint64_t passed_deletions() const { return passed_deletions_; }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  // This many deletions in a row are worth a look at the runs that are known.
  static constexpr uint32_t kLongRun = 16;
  enum class Direction { kForward, kBackward };

  // The deletions that a move passes. Views of the memtables' keys.
  struct Passed {
    uint32_t count = 0;
    std::string_view first;
    std::string_view last;
    std::optional<DeletedRuns::Run> jumped;  // the run among them that was passed at one go
  };

  // Sources are numbered: the memtables from the newest to the oldest, then the tree.
  size_t tree_index() const { return memtables_.size(); }
  bool SourceValid(size_t i) const {
    return i < tree_index() ? memtables_[i].Valid() : tree_valid_;
  }
  std::string_view SourceKey(size_t i) const {
    return i < tree_index() ? memtables_[i].key() : tree_key_;
  }
  void SourceSeek(size_t i, std::string_view target);
  void SourceSeekForPrev(size_t i, std::string_view target);
  // Behind everything.
  void SourceSeekToEnd(size_t i);
  void SourceNext(size_t i);
  void SourcePrev(size_t i);
  void LoadTreePosition() {
    tree_valid_ = tree_->Valid();
    if (tree_valid_) [[likely]] {
      tree_key_ = tree_->key();
    } else {
      KeepTreeError();
    }
  }
  void KeepTreeError();

  // From the sources' positions: to the nearest key in the direction that is not deleted and within
  // the bound.
  void FindNearest();
  bool IsDeletion(size_t source) const {
    return source < tree_index() && memtables_[source].is_deletion();
  }
  bool WithinBound(std::string_view key) const {
    if (direction_ == Direction::kBackward) return lower_.empty() || key >= lower_;
    return upper_.empty() || key < upper_;
  }
  // Moves on from `nearest`, a deletion, to the nearest key that is none or beyond the bound, and
  // returns its source. Out of the way of a step without deletions.
  size_t PassDeletions(size_t nearest);
  // Moves on from the deletion that `source` stands at, over the run it is in if that is known.
  void PassDeletion(size_t source, Passed* passed);
  bool JumpOverRun(Passed* passed);
  // Keeps what was passed up to `nearest` for the next reader.
  void RememberRun(Passed passed, size_t nearest) const;
  // The source with the smallest (largest) key, the newest of those that have it; kNone at the end.
  size_t Nearest() const;
  // Moves all sources that stand at `key` on by one.
  void StepFrom(std::string_view key);
  // FindNearest where the tree is the only source: nothing to compare with.
  void TakeTreePosition() {
    LoadTreePosition();
    SetCurrent(tree_valid_ && WithinBound(tree_key_) ? tree_index() : kNone);
  }
  // Puts the sources that a walk the other way has left on the wrong side of key_ on the right one.
  void TurnForward();
  void TurnBackward();
  void SetCurrent(size_t source) {
    current_ = source;
    if (source != kNone) key_ = SourceKey(source);
  }

  const ReadState* const state_;
  const uint64_t seq_limit_;
  const std::string lower_;
  const std::string upper_;
  absl::InlinedVector<MemtableIterator, 2> memtables_;  // those that are not empty
  const std::unique_ptr<Cursor> tree_;
  bool tree_valid_ = false;
  std::string_view tree_key_;
  // Of the seek under way. A copy: the caller's may be a part of key(), whose source moves.
  ShortString target_;

  Direction direction_ = Direction::kForward;
  size_t current_ = kNone;
  uint64_t passed_deletions_ = 0;
  std::string_view key_;
  // value() may find that a large value cannot be read.
  mutable absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_KV_MERGING_ITERATOR_H_
