// SlicePolicy: what a checkpoint does with the changes that belong below a node of level 1.
//
// Merging them into their leaves writes every leaf that they touch. A slice writes the changes and
// little else, but has to be read by everyone until it is folded, and then all leaves are written
// anyway. So changes that touch few leaves for their size are merged at once; others wait in slices
// until these hold a good part of what the leaves do, and one rewrite of the leaves serves many
// checkpoints. The limits differ from node to node, by a number that stays the node's until it is
// folded, so that nodes that fill up at the same rate do not all fold in the same checkpoint.
//
// With data of D memtables, changed at random, a node takes c = 1/D of its leaves in changes from
// each checkpoint, and is folded when it has gathered f, about half: each changed byte is written
// once in a slice and (1 + f) / f times in the fold, whatever D is, while merging writes D times.

#ifndef EMDB_PAGESTORE_SLICE_POLICY_H_
#define EMDB_PAGESTORE_SLICE_POLICY_H_

#include <cstdint>

namespace emdb {

enum class NodeAction {
  kMerge,      // into the leaves, with all slices
  kAddSlice,   // one more slice
  kJoinSlices  // the changes and the young slices become one slice
};

class SlicePolicy {
 public:
  struct Slices {
    uint32_t count = 0;
    uint32_t pages = 0;
    uint32_t records = 0;
  };
  // The node, and what it has.
  struct Node {
    uint32_t page_size = 0;
    uint32_t leaves = 0;
    uint32_t slice_room = 0;    // so many slices fit
    Slices slices;              // all of them
    Slices young;               // the newest ones, which kJoinSlices would join
    uint64_t record_bytes = 0;  // of a record of its leaves, about
    uint32_t number = 0;        // any, the same until the node is folded
    bool saves_space = false;   // a slice, whatever it costs reads, takes less than merging
  };
  // What a checkpoint brings.
  struct Changes {
    uint64_t records = 0;
    uint64_t deletions = 0;  // among them
    uint64_t bytes = 0;
    uint32_t touched_leaves = 0;
    uint64_t longest_key = 0;
  };

  explicit SlicePolicy(const Node& node);

  // Whether a slice is worth joining with others, in a node of so many leaves.
  static bool IsSmall(uint32_t slice_pages, uint32_t leaves);

  // Changes of more bytes are merged in any case.
  uint64_t MostBytes() const;
  NodeAction Choose(const Changes& changes) const;

 private:
  uint64_t PagesOf(uint64_t bytes) const { return bytes / node_.page_size + 1; }
  // How many pages of records the deletions take away, and how many pages merging would write.
  uint64_t EmptiedPages(const Changes& changes) const;
  uint64_t MergedPages(const Changes& changes) const;
  bool Fits(const Changes& changes, NodeAction action) const;

  const Node node_;
  uint64_t most_pages_ = 0;   // of all slices
  uint32_t most_slices_ = 0;  // then something is done about them
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_SLICE_POLICY_H_
