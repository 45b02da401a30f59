// The nodes of a memtable's B+tree and its records: what lies in the Arena. In memory only, never
// on disk.
//
// A record is immutable once it is linked, but for its kind, which may become kVoid.
//
// A node holds up to 72 (leaf) or 48 (inner) entries in key order. An entry is a head, the 8 bytes
// behind the prefix that all keys of the node share, as a big-endian number padded with zeros, and
// the record whose key it is; in an inner node also the child that holds the keys from that one on.
// The first entry of an inner node stands for all keys below the second: its head and record are
// not used.
//
// Seqlock: the one writer makes `version` odd, changes the node, and makes it even again. A reader
// loads an even version, reads what it needs, and believes it only if Validate finds the version
// unchanged. Data is stored with release and loaded with acquire, which keeps it between the two
// accesses to the version without fences (H. Boehm, "Can seqlocks get along with programming
// language memory models?", 2012, section 4); on x86 these are plain moves.

#ifndef EMDB_KV_MEMTABLE_NODE_H_
#define EMDB_KV_MEMTABLE_NODE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <thread>

#include "kv/arena.h"

namespace emdb {

enum class RecordKind : uint8_t {
  kPut = 1,
  kDelete = 2,
  kVoid = 3,  // of a write that failed: as if it were not there
};

struct MemtableRecord {
  uint64_t seq;
  Arena::Ref older;  // the version of the same key before this one; 0: none
  uint32_t value_size;
  uint16_t key_size;
  std::atomic<RecordKind> kind;

  static constexpr size_t kHeaderBytes = 20;
  static size_t SizeFor(size_t key_size, size_t value_size) {
    return kHeaderBytes + key_size + value_size;
  }

  const char* bytes() const { return reinterpret_cast<const char*>(this) + kHeaderBytes; }
  std::string_view key() const { return {bytes(), key_size}; }
  std::string_view value() const { return {bytes() + key_size, value_size}; }
};
static_assert(offsetof(MemtableRecord, kind) < MemtableRecord::kHeaderBytes);

// The 8 bytes of `key` from `offset` on, as a number that orders like them; zeros behind its end.
inline uint64_t KeyWord(std::string_view key, size_t offset) {
  uint64_t word = 0;
  if (offset + sizeof(word) <= key.size()) {
    std::memcpy(&word, key.data() + offset, sizeof(word));
    return __builtin_bswap64(word);
  }
  if (offset < key.size()) std::memcpy(&word, key.data() + offset, key.size() - offset);
  return __builtin_bswap64(word);
}

class MemtableNode {
 public:
  static constexpr size_t kBytes = 1024;
  static constexpr size_t kMaxPrefixBytes = 40;
  static constexpr uint32_t kLeafCapacity = 72;
  static constexpr uint32_t kInnerCapacity = 48;

  explicit MemtableNode(uint32_t level) : level_(level) {}

  bool is_leaf() const { return level_ == 0; }
  uint32_t level() const { return level_; }
  uint32_t capacity() const { return is_leaf() ? kLeafCapacity : kInnerCapacity; }

  // Readers.
  uint32_t ReadVersion() const {
    for (;;) {
      const uint32_t version = version_.load(std::memory_order_acquire);
      if ((version & 1) == 0) return version;
      // The writer is between two stores, or has lost its processor there.
      std::this_thread::yield();
    }
  }
  bool Validate(uint32_t version) const {
    return version_.load(std::memory_order_relaxed) == version;
  }
  // Inlined at any cost: gcc drops calls of functions that do nothing else.
  [[gnu::always_inline]] void Prefetch() const {
    const char* p = reinterpret_cast<const char*>(this);
    for (size_t line = 0; line < kBytes; line += 64) __builtin_prefetch(p + line);
  }

  // The writer, around each change of a node that readers can reach.
  void BeginChange() {
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void EndChange() {
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  uint32_t count() const { return count_.load(std::memory_order_acquire); }
  size_t prefix_size() const { return prefix_size_.load(std::memory_order_acquire); }
  Arena::Ref next() const {
    return next_.load(std::memory_order_acquire);
  }  // the leaf to the right; 0: none
  uint64_t head(uint32_t i) const { return heads_[i].load(std::memory_order_acquire); }
  // No put with a seq above this one, that was added while the memtable was watched, is in the node
  // or below it, but for the right edge (Memtable::MayHavePut).
  uint64_t newest_put() const { return newest_put_.load(std::memory_order_acquire); }
  Arena::Ref record(uint32_t i) const { return refs_[i].load(std::memory_order_acquire); }
  Arena::Ref child(uint32_t i) const {
    return refs_[kInnerCapacity + i].load(std::memory_order_acquire);
  }

  void set_count(uint32_t count) {
    count_.store(static_cast<uint16_t>(count), std::memory_order_release);
  }
  void set_next(Arena::Ref next) { next_.store(next, std::memory_order_release); }
  void set_newest_put(uint64_t seq) { newest_put_.store(seq, std::memory_order_release); }
  void set_head(uint32_t i, uint64_t head) { heads_[i].store(head, std::memory_order_release); }
  // Publishes the record's bytes too: readers that load the Ref see them.
  void set_record(uint32_t i, Arena::Ref record) {
    refs_[i].store(record, std::memory_order_release);
  }
  void set_child(uint32_t i, Arena::Ref child) {
    refs_[kInnerCapacity + i].store(child, std::memory_order_release);
  }

  // Makes the first `size` bytes of `key` the prefix. The heads are the caller's business.
  void set_prefix(std::string_view key, size_t size) {
    for (size_t i = 0; i * 8 < size; ++i) {
      prefix_[i].store(KeyWord(key, i * 8) & PrefixMask(size, i), std::memory_order_release);
    }
    prefix_size_.store(static_cast<uint16_t>(size), std::memory_order_release);
  }

  // Where `key` stands to the keys that begin with the prefix: below all of them (negative), among
  // them (0), or above (positive). `size` is the prefix_size() the caller has read.
  int ComparePrefix(std::string_view key, size_t size) const {
    for (size_t i = 0; i * 8 < size; ++i) {
      const uint64_t mine = prefix_[i].load(std::memory_order_acquire);
      const uint64_t other = KeyWord(key, i * 8) & PrefixMask(size, i);
      if (other != mine) return other < mine ? -1 : 1;
    }
    return key.size() < size ? -1 : 0;
  }

  // The first of the entries [first, count) whose head is not below `head`; `count` if there is
  // none.
  uint32_t FindHead(uint32_t first, uint32_t count, uint64_t head) const {
    if (first >= count) return first;
    uint32_t base = first;
    uint32_t size = count - first;
    // Without a branch on the comparison, which would be mispredicted half of the time.
    while (size > 1) {
      const uint32_t half = size / 2;
      base += heads_[base + half - 1].load(std::memory_order_acquire) < head ? half : 0;
      size -= half;
    }
    base += heads_[base].load(std::memory_order_acquire) < head ? 1 : 0;
    return base;
  }

 private:
  // Of the prefix word `i`, the bits that belong to a prefix of `size` bytes.
  static uint64_t PrefixMask(size_t size, size_t i) {
    const size_t bytes = size - i * 8;
    return bytes >= 8 ? ~uint64_t{0} : ~(~uint64_t{0} >> (bytes * 8));
  }

  std::atomic<uint32_t> version_{0};
  std::atomic<Arena::Ref> next_{0};
  std::atomic<uint16_t> count_{0};
  std::atomic<uint16_t> prefix_size_{0};
  const uint32_t level_;
  std::atomic<uint64_t> newest_put_{0};
  std::array<std::atomic<uint64_t>, kMaxPrefixBytes / 8> prefix_{};
  std::array<std::atomic<uint64_t>, kLeafCapacity> heads_{};
  // Records; in an inner node kInnerCapacity of them, and as many children behind.
  std::array<std::atomic<Arena::Ref>, 2 * kInnerCapacity> refs_{};
};
static_assert(sizeof(MemtableNode) == MemtableNode::kBytes);
static_assert(2 * MemtableNode::kInnerCapacity >= MemtableNode::kLeafCapacity);

}  // namespace emdb

#endif  // EMDB_KV_MEMTABLE_NODE_H_
