// MemtableBuilder: fills a new memtable with the records of a log, in any key order, 4 to 8 times
// faster than one by one: the records are copied to the arena as they come, sorted by key in one
// go, and appended.
//
// Not thread safe. Nobody reads the memtable before Finish.

#ifndef EMDB_KV_MEMTABLE_BUILDER_H_
#define EMDB_KV_MEMTABLE_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kv/memtable.h"

namespace emdb {

class MemtableBuilder {
 public:
  // `table` is empty, and outlives the builder.
  explicit MemtableBuilder(Memtable* table) : table_(table) {}

  // As Memtable::Add.
  void Add(uint64_t seq, RecordKind kind, std::string_view key, std::string_view value);
  // Makes all of it readable. Comes last.
  void Finish();
  // What Finish takes of the memtable's memory, at most.
  size_t index_bytes() const { return entries_.size() * kIndexBytesPerEntry + kLeastIndexBytes; }

 private:
  // A share of a full leaf, and of the nodes above it.
  static constexpr size_t kIndexBytesPerEntry = 16;
  static_assert(kIndexBytesPerEntry * MemtableNode::kLeafCapacity * MemtableNode::kInnerCapacity >
                (MemtableNode::kBytes + alignof(MemtableNode)) *
                    (MemtableNode::kInnerCapacity + 2));
  // Nodes that are not full: one on each level.
  static constexpr size_t kLeastIndexBytes = 8 * MemtableNode::kBytes;

  struct Entry {
    uint64_t head;  // the 8 bytes behind the prefix that all keys share
    Arena::Ref record;
  };

  std::string_view KeyOf(const Entry& entry) const;
  // Sorts by head, keeping the order of those that have the same.
  void SortByHead();
  // Sorts entries of equal heads by key, keeping the order of those that have the same.
  void SortTies();

  Memtable* const table_;
  std::vector<Entry> entries_;  // at first in the order of Add
  std::string_view first_key_;
  size_t prefix_size_ = 0;  // that all keys so far share with first_key_
};

}  // namespace emdb

#endif  // EMDB_KV_MEMTABLE_BUILDER_H_
