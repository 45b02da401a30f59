// Memtable: the newest writes, in memory: for each key its versions, newest first. A B+tree of 1
// KiB nodes (memtable_node.h) whose records lie in an Arena.
//
// One thread at a time writes: Add and Freeze. Any number of threads read at the same time, without
// locks; they see every record that was added before the seq limit they read at was published to
// them. A record is never moved or removed; views into it live as long as the memtable.
//
// Invariants:
//  1. The versions of a key are chained in the order they were added; their seqs never ascend along
//     the chain.
//  2. Nodes are only added, and split to the right: a reader that holds a leaf finds what was to
//     the right of it behind its `next`, whatever happens meanwhile.
//  3. Every inner node that the writer has passed on its way down had room for one more entry, so a
//     split changes one node and its parent.

#ifndef EMDB_KV_MEMTABLE_H_
#define EMDB_KV_MEMTABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kv/arena.h"
#include "kv/key_filter.h"
#include "kv/memtable_node.h"

namespace emdb {

class Memtable {
 public:
  enum class Lookup { kAbsent, kFound, kDeleted };

  static constexpr uint64_t kNotFrozen = UINT64_MAX;

  struct Change {
    RecordKind kind;
    std::string_view key;
    std::string_view value;
  };
  // 12 and 16 are no faster.
  static constexpr size_t kMany = 8;

  struct KeyRange {
    std::string_view begin;               // inclusive
    std::optional<std::string_view> end;  // exclusive; none: all that follows
  };

  // What `operations` puts and deletions, `bytes` of keys and values in all, take at most in a new
  // memtable.
  static size_t RoomFor(size_t operations, size_t bytes) { return operations * 64 + bytes + 16384; }

  // With an arena of `pool` of at least `min_capacity_bytes`. ResourceExhausted.
  static absl::StatusOr<std::shared_ptr<Memtable>> Create(std::shared_ptr<ArenaPool> pool,
                                                          size_t min_capacity_bytes);
  ~Memtable();
  Memtable(const Memtable&) = delete;
  Memtable& operator=(const Memtable&) = delete;

  // The writer.

  // What they take at most in this one, whose nodes may all be full.
  size_t RoomForMore(size_t operations, size_t bytes) const;
  bool HasRoom(size_t room_bytes) const {
    return arena_->capacity_bytes() - arena_->used_bytes() >= room_bytes;
  }
  // `seq` is not below that of any record so far; among equal ones the last wins. There is room.
  void Add(uint64_t seq, RecordKind kind, std::string_view key, std::string_view value);
  // The same for each of up to kMany changes in turn, faster: the nodes that they go to are
  // fetched from memory side by side.
  void AddMany(uint64_t seq, absl::Span<const Change> changes);
  // Nothing with a seq of `end_seq` or above will be added.
  void Freeze(uint64_t end_seq) { end_seq_.store(end_seq, std::memory_order_release); }

  // Any thread.

  // Takes back the records of `key` with this seq. No reader may have been given a limit above
  // `seq` yet.
  void Void(std::string_view key, uint64_t seq) const;

  // The newest version of `key` below `seq_limit`. *value is set if it is kFound.
  Lookup Get(std::string_view key, uint64_t seq_limit, std::string_view* value) const;

  // From some later Add on, MayHavePut knows of puts.
  void WatchPuts() const { is_watched_.store(true, std::memory_order_relaxed); }
  // Whether it knows of all puts with a seq of `from_seq` or above, those to come included if there
  // is none yet and WatchPuts was called.
  bool KnowsPutsFrom(uint64_t from_seq) const {
    return added_below() <= from_seq || watched_from() <= from_seq;
  }
  // False only if no put with a seq of `from_seq` or above is there, among the records that were
  // added before a limit the caller has been given. The range is not empty. Writes that come in
  // between may make it true.
  bool MayHavePut(const KeyRange& range, uint64_t from_seq) const;

  bool empty() const { return records_.load(std::memory_order_acquire) == 0; }
  uint64_t end_seq() const { return end_seq_.load(std::memory_order_acquire); }
  size_t memory_bytes() const { return arena_->used_bytes(); }
  // Each exact; together not of one moment.
  uint64_t record_count() const { return records_.load(std::memory_order_relaxed); }
  uint64_t key_count() const { return keys_.load(std::memory_order_relaxed); }
  // By how many the table changes the number of live keys, if each first put of a key in it makes a
  // new one and each first deletion takes one away. Void records count as what they were.
  int64_t key_balance() const { return key_balance_.load(std::memory_order_relaxed); }

 private:
  friend class MemtableBuilder;
  friend class MemtableIterator;

  // Which child or entry a search is for.
  enum class Target {
    kKey,     // where the key is or would be
    kBefore,  // where the last key below it is
    kLast,    // the end; the key does not matter
  };
  struct Position {
    uint32_t index = 0;  // the first entry at or behind the key
    bool equal = false;  // it is the key
  };
  // A leaf as it was at one moment.
  struct LeafCopy {
    std::array<Arena::Ref, MemtableNode::kLeafCapacity> records;
    uint32_t count = 0;
    Position position;
    Arena::Ref next = 0;  // the leaf to the right; 0: none
    Arena::Ref low_fence =
        0;  // a record whose key is at or below all of the leaf, above all before; 0: none before
  };
  struct Descent {
    const MemtableNode* leaf = nullptr;
    uint32_t version = 0;
    Arena::Ref low_fence = 0;
  };

  static constexpr uint64_t kNotWatched = UINT64_MAX;

  Memtable(std::shared_ptr<ArenaPool> pool, std::unique_ptr<Arena> arena);

  MemtableNode* node(Arena::Ref ref) const {
    return reinterpret_cast<MemtableNode*>(arena_->At(ref));
  }
  MemtableRecord* record(Arena::Ref ref) const {
    return reinterpret_cast<MemtableRecord*>(arena_->At(ref));
  }
  // The newest version in the chain from `ref` below `seq_limit`; null if there is none.
  const MemtableRecord* Visible(Arena::Ref ref, uint64_t seq_limit) const;

  // All that was added before a limit the caller has been given has a smaller seq.
  uint64_t added_below() const { return added_below_.load(std::memory_order_acquire); }
  // Puts from this seq on are noted in the nodes.
  uint64_t watched_from() const { return watched_from_.load(std::memory_order_acquire); }

  // Readers. Each returns false when the writer got in between: start again from the root.
  bool FindEntry(const MemtableNode& in, uint32_t version, std::string_view key,
                 Position* out) const;
  bool FindChild(const MemtableNode& in, uint32_t version, std::string_view key, Target target,
                 uint32_t* index) const;
  bool TryDescend(std::string_view key, Target target, Descent* out) const;
  bool TryCopyLeaf(const MemtableNode& leaf, uint32_t version, std::string_view key, Target target,
                   LeafCopy* out) const;

  // The newest record of `key`; 0 if there is none.
  Arena::Ref Find(std::string_view key) const;
  // The leaf that `target` is in, and behind what is before `key` in it.
  void ReadLeaf(std::string_view key, Target target, LeafCopy* out) const;
  // The leaf `ref`, positioned at its first entry.
  void ReadLeafAt(Arena::Ref ref, LeafCopy* out) const;
  // MayHavePut of what is in one node and below it.
  bool NodeMayHavePut(const MemtableNode& in, const KeyRange& range, uint64_t from_seq) const;
  bool LeafMayHavePut(const MemtableNode& leaf, const KeyRange& range, uint64_t from_seq) const;

  // The writer.
  Arena::Ref NewRecord(uint64_t seq, RecordKind kind, std::string_view key, std::string_view value);
  Arena::Ref NewNode(uint32_t level);
  // Sees to it that puts are noted from here on, if a reader has asked for that.
  void HeedWatch();
  bool NotesPuts() const { return watched_from_.load(std::memory_order_relaxed) != kNotWatched; }
  void Link(std::string_view key, Arena::Ref ref);
  // Whether all that is there is below `key`. False for an empty table.
  bool IsBehindAll(std::string_view key) const;
  bool TryAppend(std::string_view key, Arena::Ref ref);
  void Insert(std::string_view key, Arena::Ref ref);
  // Into the leaf that the key belongs to, which has room.
  void InsertIntoLeaf(MemtableNode* leaf, std::string_view key, Arena::Ref ref);
  // The leaf that the key belongs to, which is asked for but not yet looked at.
  MemtableNode* FetchLeaf(std::string_view key) const;
  void InsertEntry(MemtableNode* into, uint32_t index, Arena::Ref ref, Arena::Ref child);
  void GrowRoot();
  void SplitChild(MemtableNode* parent, uint32_t index, bool append, Arena::Ref new_record);
  // `ref` goes to `in` or below it.
  void NotePut(MemtableNode* in, Arena::Ref ref) const;
  void GrowPrefix(MemtableNode* in) const;
  void SetPrefix(MemtableNode* in, size_t size) const;
  size_t SharedPrefix(const MemtableNode& in) const;
  void CountRecord(uint64_t seq);
  // `newest` was linked: the only version that was not counted, or all of them if the key is new.
  void CountVersions(Arena::Ref newest, bool is_new_key);

  const std::shared_ptr<ArenaPool> pool_;
  std::unique_ptr<Arena> arena_;
  KeyFilter filter_;
  std::atomic<Arena::Ref> root_{0};
  Arena::Ref last_leaf_ = 0;  // the writer's, and so is:
  size_t nodes_ = 0;
  std::atomic<uint64_t> records_{0};
  std::atomic<uint64_t> added_below_{0};
  std::atomic<uint64_t> keys_{0};
  std::atomic<int64_t> key_balance_{0};
  std::atomic<uint64_t> end_seq_{kNotFrozen};
  mutable std::atomic<bool> is_watched_{false};  // as readers asked; what the writer made of it:
  std::atomic<uint64_t> watched_from_{kNotWatched};
};

}  // namespace emdb

#endif  // EMDB_KV_MEMTABLE_H_
