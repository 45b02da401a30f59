#include "kv/memtable_iterator.h"

namespace emdb {
namespace {

// Records of a leaf lie anywhere in the arena: fetch those that come soon.
constexpr uint32_t kPrefetchDistance = 8;

}  // namespace

void MemtableIterator::SeekToFirst() { Seek({}); }

void MemtableIterator::SeekToLast() {
  table_->ReadLeaf({}, Memtable::Target::kLast, &leaf_);
  index_ = leaf_.count;
  FindBackward();
}

void MemtableIterator::Seek(std::string_view target) {
  table_->ReadLeaf(target, Memtable::Target::kKey, &leaf_);
  index_ = leaf_.position.index;
  FindForward();
}

void MemtableIterator::SeekForPrev(std::string_view target) {
  table_->ReadLeaf(target, Memtable::Target::kKey, &leaf_);
  index_ = leaf_.position.index + (leaf_.position.equal ? 1 : 0);
  FindBackward();
}

void MemtableIterator::Next() {
  index_++;
  FindForward();
}

void MemtableIterator::Prev() { FindBackward(); }

// To the first visible entry at or behind index_.
void MemtableIterator::FindForward() {
  for (;;) {
    for (; index_ < leaf_.count; ++index_) {
      if (index_ + kPrefetchDistance < leaf_.count) {
        __builtin_prefetch(table_->record(leaf_.records[index_ + kPrefetchDistance]));
      }
      current_ = table_->Visible(leaf_.records[index_], seq_limit_);
      if (current_ != nullptr) return;
    }
    if (leaf_.next == 0) break;
    table_->ReadLeafAt(leaf_.next, &leaf_);
    index_ = 0;
  }
  current_ = nullptr;
}

// To the last visible entry before index_.
void MemtableIterator::FindBackward() {
  for (;;) {
    while (index_ > 0) {
      index_--;
      if (index_ >= kPrefetchDistance) {
        __builtin_prefetch(table_->record(leaf_.records[index_ - kPrefetchDistance]));
      }
      current_ = table_->Visible(leaf_.records[index_], seq_limit_);
      if (current_ != nullptr) return;
    }
    if (leaf_.low_fence == 0) break;
    // By the key: the leaf to the left may have been split since this one was copied.
    table_->ReadLeaf(table_->record(leaf_.low_fence)->key(), Memtable::Target::kBefore, &leaf_);
    index_ = leaf_.position.index;
  }
  current_ = nullptr;
}

}  // namespace emdb
