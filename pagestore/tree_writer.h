// TreeWriter: the merge of a checkpoint. Walks the old tree and the sorted changes side by side,
// goes down only where changes belong, keeps every other subtree as it is, and streams what it
// touched into a TreeBuilder. Old nodes and overwritten large values are freed, nothing is written
// in place.
//
// For one checkpoint, by one thread. After an error all that it did is to be dropped by the caller:
// FreeSpace::Reset, and what it placed out of the cache.

#ifndef EMDB_PAGESTORE_TREE_WRITER_H_
#define EMDB_PAGESTORE_TREE_WRITER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/change_source.h"
#include "pagestore/free_space.h"
#include "pagestore/node.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_format.h"
#include "pagestore/page_writer.h"
#include "pagestore/read_ahead.h"
#include "pagestore/tree.h"
#include "pagestore/tree_builder.h"

namespace emdb {

class TreeWriter {
 public:
  struct Target {
    FreeSpace* free_space = nullptr;
    PageWriter* writer = nullptr;
    uint64_t generation = 0;
    // Nodes at this page or behind it are written anew, wherever they may go.
    PageId move_from = UINT32_MAX;
  };
  // How the merged tree differs in what the header counts.
  struct Difference {
    int64_t records = 0;
    int64_t key_bytes = 0;
    int64_t value_bytes = 0;
  };
  using Progress = std::function<void(uint64_t changes_done)>;

  TreeWriter(const Tree& old_tree, const Target& target);

  // Merges `changes` into the tree. InvalidArgument for keys or values out of bounds or keys out of
  // order; DataLoss and I/O errors. `progress` may be null.
  absl::StatusOr<TreeBuilder::Root> Merge(ChangeSource* changes, const Progress& progress);
  // Writes the whole tree anew, every page full, large values too.
  absl::StatusOr<TreeBuilder::Root> Rewrite();

  const Difference& difference() const { return difference_; }

 private:
  // The keys below a node: lower <= key < upper.
  struct Bounds {
    std::string_view lower;
    std::optional<std::string_view> upper;
  };

  absl::StatusOr<TreeBuilder::Root> Run();
  absl::Status MergeNode(PageRef ref, uint32_t level, const Bounds& bounds);
  absl::Status MergeChildren(const InnerView& node, uint32_t level, const Bounds& bounds);
  absl::Status MergeChild(const InnerView& node, uint32_t index, uint32_t level,
                          const Bounds& bounds);
  // What is merged must be in order throughout, or nodes built of it would be nonsense.
  absl::Status CheckBounds(PageId id, std::string_view first, std::string_view last,
                           const Bounds& bounds) const;
  absl::Status MergeLeaf(const char* page, const Bounds& bounds);
  absl::Status AppendChanges();

  // Whether a node below, or the node itself, is one that is to be moved. Reads inner nodes only.
  absl::StatusOr<bool> IsToMove(PageRef ref, uint32_t level);
  bool IsTouched(const std::optional<std::string_view>& upper) const;
  absl::StatusOr<PagePin> LoadInner(PageRef ref, uint32_t level);
  absl::StatusOr<const char*> ReadLeaf(absl::Span<const PageRef> refs);
  // Frees the leaf, which has been merged.
  absl::Status FreeLeaf(PageId id);
  absl::Status CopyRecords(const LeafView& leaf, uint32_t begin, uint32_t end);
  absl::Status DropRecord(const LeafView& leaf, uint32_t index);
  absl::Status AddChange();
  absl::Status CheckChange() const;
  absl::Status AddExtent(std::string_view key_prefix, std::string_view key_rest,
                         const ExtentRef& extent);
  absl::Status FreeExtent(const ExtentRef& extent);
  void NextChange();

  const Tree tree_;
  const Target target_;
  TreeBuilder builder_;
  ChangeSource* changes_ = nullptr;
  const Progress* progress_ = nullptr;
  bool rewrite_ = false;
  uint64_t changes_done_ = 0;
  std::string last_change_key_;
  std::string large_value_;

  ReadAhead read_ahead_;
  PagePin leaf_pin_;
  std::vector<PageRef> wanted_;  // the leaf to read and those behind it
  PageRef expected_leaf_;        // the one behind the last that was read
  std::vector<PageId> merged_;   // leaves of the cache that are done with

  Difference difference_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_TREE_WRITER_H_
