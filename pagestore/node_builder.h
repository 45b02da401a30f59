// NodeItems: a run of entries in key order that becomes one or more nodes of one level. It gathers,
// measures and lays out; where a run is cut and what pages it goes to is TreeBuilder's business.
//
// An entry is a key and a payload: in a leaf a record's value (or its extent's reference), in an
// inner page the separator in front of a child and the child's reference. The key of the first
// entry of an inner node is not stored: all that sorts lower belongs there too.
//
// Not thread safe.

#ifndef EMDB_PAGESTORE_NODE_BUILDER_H_
#define EMDB_PAGESTORE_NODE_BUILDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pagestore/page_format.h"

namespace emdb {

// The most that a node may fill of a page: offsets are 16 bits wide.
constexpr size_t NodeCapacity(uint32_t page_size) {
  return page_size < 65536 ? page_size : size_t{65535};
}

// The shortest string that is > `low` and <= `high`, given low < high.
std::string_view ShortestSeparator(std::string_view low, std::string_view high);

class NodeItems {
 public:
  struct Entry {
    std::string_view key_prefix;  // the key is this and key_rest
    std::string_view key_rest;
    CellKind kind = CellKind::kInline;
    std::string_view payload;
  };
  // Who a built page says it is.
  struct Identity {
    PageId id = kNoPage;
    uint64_t generation = 0;
  };

  explicit NodeItems(uint8_t level) : level_(level) {}

  // Copies the entry. Keys ascend strictly.
  void Add(const Entry& entry);
  // Adds all entries of `other`, which continue this run.
  void Append(const NodeItems& other);
  void Clear();

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  std::string_view key(size_t index) const;
  // The reference that is the payload of an inner entry.
  PageRef child(size_t index) const { return LoadPageRef(payload(index).data()); }

  // Bytes of a node of the entries [begin, end), at most: no node built of them is larger.
  size_t NodeSize(size_t begin, size_t end) const;
  size_t NodeSize() const { return NodeSize(0, size()); }
  size_t NodeSizeWith(const Entry& entry) const;

  // Writes a page of page_size bytes, but for its checksum. NodeSize(begin, end) must not be over
  // the page's NodeCapacity.
  void Build(size_t begin, size_t end, const Identity& identity, char* page,
             uint32_t page_size) const;

 private:
  struct Item {
    uint32_t key_at = 0;
    uint32_t payload_size = 0;
    // Bytes that all entries before this one take, with whole keys.
    uint64_t bytes_before = 0;
    uint16_t key_size = 0;
    CellKind kind = CellKind::kInline;
  };

  std::string_view payload(size_t index) const;
  size_t EntryBytes(size_t key_size, size_t payload_size) const;
  // The first entry whose key is stored in a node that begins with `begin`.
  size_t FirstStored(size_t begin) const { return level_ == 0 ? begin : begin + 1; }
  size_t SizeOf(size_t stored, size_t entry_bytes, size_t prefix_size) const;
  void BuildLeaf(size_t begin, size_t end, PageHeader* header, char* page) const;
  void BuildInner(size_t begin, size_t end, PageHeader* header, char* page) const;

  uint8_t level_;
  std::vector<Item> items_;
  std::string bytes_;  // key and payload of each entry, one after another
  uint64_t total_bytes_ = 0;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_NODE_BUILDER_H_
