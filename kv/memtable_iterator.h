// MemtableIterator: walks the keys of a memtable in order, both ways, as they were below a seq
// limit; shows the newest visible version of each, deletions included.
//
// It reads from a private copy of one leaf at a time, so the writer can go on meanwhile: what was
// visible below the limit when the iterator was made is never moved out of its way (memtable.h,
// invariant 2). Belongs to one thread; the memtable outlives it.

#ifndef EMDB_KV_MEMTABLE_ITERATOR_H_
#define EMDB_KV_MEMTABLE_ITERATOR_H_

#include <cstdint>
#include <string_view>

#include "kv/memtable.h"

namespace emdb {

class MemtableIterator {
 public:
  MemtableIterator(const Memtable* table, uint64_t seq_limit)
      : table_(table), seq_limit_(seq_limit) {}

  bool Valid() const { return current_ != nullptr; }
  void SeekToFirst();
  void SeekToLast();
  void Seek(std::string_view target);         // the first key at or behind target
  void SeekForPrev(std::string_view target);  // the last key at or before target
  void Next();
  void Prev();

  // Only when Valid. The views live as long as the memtable.
  std::string_view key() const { return current_->key(); }
  std::string_view value() const { return current_->value(); }
  bool is_deletion() const {
    return current_->kind.load(std::memory_order_relaxed) == RecordKind::kDelete;
  }

 private:
  // Of the leaf's record `index`, if there is one: its first line; and of a walk what follows that.
  void PrefetchStart(uint32_t index) const;
  void PrefetchRest(uint32_t index) const;
  // Entries [0, index_) of leaf_ are before the position, the others at or behind it.
  void FindForward();
  void FindBackward();

  const Memtable* const table_;
  const uint64_t seq_limit_;
  Memtable::LeafCopy leaf_;
  uint32_t index_ = 0;    // of current_ in leaf_, when Valid
  bool is_walk_ = false;  // it has left the leaf of the last seek
  const MemtableRecord* current_ = nullptr;
};

}  // namespace emdb

#endif  // EMDB_KV_MEMTABLE_ITERATOR_H_
