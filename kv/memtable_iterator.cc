#include "kv/memtable_iterator.h"

#include <algorithm>

namespace emdb {
namespace {

// Records of a leaf lie anywhere in the arena: fetch those that come soon. Of a walk the first line
// of each, and the others when its sizes are there; few steps behind a seek would wait for them.
constexpr uint32_t kPrefetchDistance = 8;
constexpr uint32_t kPrefetchRestDistance = 4;
// What comes behind them of a larger record the processor fetches by itself.
constexpr size_t kPrefetchBytes = 512;

}  // namespace

[[gnu::always_inline]] inline void MemtableIterator::PrefetchStart(uint32_t index) const {
  if (index < leaf_.count) __builtin_prefetch(table_->record(leaf_.records[index]));
}

[[gnu::always_inline]] inline void MemtableIterator::PrefetchRest(uint32_t index) const {
  if (!is_walk_ || index >= leaf_.count) return;
  const MemtableRecord* const r = table_->record(leaf_.records[index]);
  const char* const start = reinterpret_cast<const char*>(r);
  const size_t size = std::min(MemtableRecord::SizeFor(r->key_size, r->value_size), kPrefetchBytes);
  for (size_t at = 64; at < size; at += 64) __builtin_prefetch(start + at);
}

void MemtableIterator::SeekToFirst() { Seek({}); }

void MemtableIterator::SeekToLast() {
  is_walk_ = false;
  table_->ReadLeaf({}, Memtable::Target::kLast, &leaf_);
  index_ = leaf_.count;
  FindBackward();
}

void MemtableIterator::Seek(std::string_view target) {
  is_walk_ = false;
  table_->ReadLeaf(target, Memtable::Target::kKey, &leaf_);
  index_ = leaf_.position.index;
  FindForward();
}

void MemtableIterator::SeekForPrev(std::string_view target) {
  is_walk_ = false;
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
      PrefetchStart(index_ + kPrefetchDistance);
      PrefetchRest(index_ + kPrefetchRestDistance);
      current_ = table_->Visible(leaf_.records[index_], seq_limit_);
      if (current_ != nullptr) return;
    }
    if (leaf_.next == 0) break;
    table_->ReadLeafAt(leaf_.next, &leaf_);
    index_ = 0;
    is_walk_ = true;
    for (uint32_t i = 0; i < kPrefetchDistance; ++i) PrefetchStart(i);
    if (leaf_.next != 0) table_->node(leaf_.next)->Prefetch();
  }
  current_ = nullptr;
}

// To the last visible entry before index_.
void MemtableIterator::FindBackward() {
  for (;;) {
    while (index_ > 0) {
      index_--;
      // Below the first entry the difference goes round, beyond the last one.
      PrefetchStart(index_ - kPrefetchDistance);
      PrefetchRest(index_ - kPrefetchRestDistance);
      current_ = table_->Visible(leaf_.records[index_], seq_limit_);
      if (current_ != nullptr) return;
    }
    if (leaf_.low_fence == 0) break;
    // By the key: the leaf to the left may have been split since this one was copied.
    table_->ReadLeaf(table_->record(leaf_.low_fence)->key(), Memtable::Target::kBefore, &leaf_);
    index_ = leaf_.position.index;
    is_walk_ = true;
  }
  current_ = nullptr;
}

}  // namespace emdb
