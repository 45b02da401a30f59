// MergingIterator: the records of a read state below a seq limit, in key order, both ways, within
// bounds: the newest version of each key from the memtables and the tree, without those that are
// deleted.
//
// Where there is nothing in the memtables it is a thin layer over the tree's cursor.

#ifndef EMDB_KV_MERGING_ITERATOR_H_
#define EMDB_KV_MERGING_ITERATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "kv/iterator.h"
#include "kv/memtable_iterator.h"
#include "kv/read_state.h"
#include "pagestore/page_store.h"

namespace emdb {

class MergingIterator : public Iterator {
 public:
  struct Bounds {
    std::string lower;  // inclusive; empty: none
    std::string upper;  // exclusive; empty: none
  };

  // `tree` is a cursor of the state's tree.
  MergingIterator(std::shared_ptr<const ReadState> state, std::unique_ptr<Cursor> tree,
                  uint64_t seq_limit, Bounds bounds);

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

 private:
  static constexpr size_t kNone = SIZE_MAX;
  enum class Direction { kForward, kBackward };

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
  void SourceNext(size_t i);
  void SourcePrev(size_t i);
  void LoadTreePosition();

  // From the sources' positions: to the nearest key in the direction that is not deleted and within
  // the bound.
  void FindForward();
  void FindBackward();
  // The source with the smallest (largest) key, the newest of those that have it; kNone at the end.
  size_t Nearest() const;
  // Moves all sources that stand at `key` on by one.
  void StepFrom(std::string_view key);
  // Puts the sources that a walk the other way has left on the wrong side of key_ on the right one.
  void TurnForward();
  void TurnBackward();
  void SetCurrent(size_t source);

  const std::shared_ptr<const ReadState> state_;
  const Bounds bounds_;
  std::vector<MemtableIterator> memtables_;  // those that are not empty
  const std::unique_ptr<Cursor> tree_;
  bool tree_valid_ = false;
  std::string_view tree_key_;

  Direction direction_ = Direction::kForward;
  size_t current_ = kNone;
  std::string_view key_;
  // value() may find that a large value cannot be read.
  mutable absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_KV_MERGING_ITERATOR_H_
