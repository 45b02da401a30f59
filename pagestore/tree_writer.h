// TreeWriter: the merge of a checkpoint. Walks the old tree and the sorted changes side by side,
// goes down only where changes belong, keeps every other subtree as it is, and streams what it
// touched into a TreeBuilder. Old nodes and overwritten large values are freed, nothing is written
// in place.
//
// Changes that would rewrite many leaves for their size go into slices instead (slice.h), by
// SlicePolicy's rule, node by node; when the rule says so, and wherever a node with slices has to
// be written anew for another reason, they are folded: merged into the leaves with what is new.
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

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/change_source.h"
#include "pagestore/free_space.h"
#include "pagestore/merged_changes.h"
#include "pagestore/node.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_format.h"
#include "pagestore/page_writer.h"
#include "pagestore/read_ahead.h"
#include "pagestore/slice.h"
#include "pagestore/slice_policy.h"
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
    uint64_t record_bytes = 0;  // of a record of the tree, about
    bool may_add_slices = false;
    // Slices are added wherever they can be: to merge takes new pages for all leaves that changes
    // reach, a slice takes as much as the changes.
    bool saves_space = false;
    // All inner nodes are written anew, as full as they go: the tree has become too high.
    bool packs_inner_nodes = false;
  };
  // How the merged tree differs in what the header counts.
  struct Difference {
    int64_t records = 0;
    int64_t key_bytes = 0;
    int64_t value_bytes = 0;
    int64_t slice_pages = 0;
    int64_t slice_records = 0;
  };
  using Progress = std::function<void(uint64_t changes_done)>;

  TreeWriter(const Tree& old_tree, const Target& target);

  // Merges `changes` into the tree. InvalidArgument for keys or values out of bounds or keys out of
  // order; DataLoss and I/O errors. `progress` may be null.
  absl::StatusOr<TreeBuilder::Root> Merge(ChangeSource* changes, const Progress& progress);
  // Folds the slices of nodes with keys at `*from` or behind it until these nodes have come to
  // about `pages` pages. Then *from is where to go on; empty: the end of the tree was reached.
  absl::StatusOr<TreeBuilder::Root> Fold(uint64_t pages, std::string* from);
  // Writes the whole tree anew, every page full, large values too. It has no slices.
  absl::StatusOr<TreeBuilder::Root> Rewrite();

  const Difference& difference() const { return difference_; }

 private:
  using Bounds = NodeBounds;

  absl::StatusOr<TreeBuilder::Root> Run();
  absl::Status MergeNode(PageRef ref, uint32_t level, const Bounds& bounds);
  // A node of level 1: merges, or writes slices.
  absl::Status MergeLeafParent(PageRef ref, const char* page, const Bounds& bounds);
  absl::StatusOr<NodeAction> ChooseAction(PageRef ref, const char* page, const Bounds& bounds);
  SlicePolicy::Changes CountChanges(ChangeSource* fork, const InnerView& node, const Bounds& bounds,
                                    uint64_t most_bytes) const;
  absl::Status FoldNode(const char* page, const Bounds& bounds);
  // How many of the newest slices of a node to join: those that are small, or all to save space.
  uint32_t SlicesToJoin(const char* page) const;
  // Writes the changes below the bound to slices, in front of those that the node has and keeps.
  absl::Status AddSlices(const char* page, const Bounds& bounds);
  absl::Status JoinSlices(const char* page, const Bounds& bounds);
  absl::StatusOr<std::vector<SliceRef>> WriteSlices(const Bounds& bounds);
  absl::Status WriteBufferedNode(const char* page, absl::Span<const SliceRef> slices,
                                 std::string_view lower);
  // Runs `work` with the changes of the node's keys and those of the `count` newest slices of the
  // page in place of changes_, then frees these slices.
  absl::Status WithSlices(const char* page, uint32_t count, const Bounds& bounds,
                          absl::FunctionRef<absl::Status()> work);
  absl::Status FreeSlice(const SliceRef& slice);
  absl::Status MergeChildren(const InnerView& node, uint32_t level, const Bounds& bounds);
  absl::Status MergeChild(const InnerView& node, uint32_t index, uint32_t level,
                          const Bounds& bounds);
  // What is merged must be in order throughout, or nodes built of it would be nonsense.
  absl::Status CheckBounds(PageId id, std::string_view first, std::string_view last,
                           const Bounds& bounds) const;
  absl::Status MergeLeaf(const char* page, const Bounds& bounds);
  absl::Status AppendChanges();

  // Whether a node below, or the node itself, is to be written anew without a change: because it is
  // to be moved, folded or packed. Reads inner nodes only.
  absl::StatusOr<bool> IsToRewrite(PageRef ref, uint32_t level);
  // The first child that IsToRewrite need look at: what is in front of fold_from_ is not folded.
  uint32_t FirstToRewrite(const InnerView& node) const;
  bool IsTouched(const std::optional<std::string_view>& upper) const;
  absl::StatusOr<PagePin> LoadInner(PageRef ref, uint32_t level);
  // A leaf that is child `index` of `parent`, or the root: then `parent` is null. Where it has to
  // be read, those behind it are read with it.
  absl::StatusOr<const char*> ReadLeaf(PageRef ref, const InnerView* parent, uint32_t index);
  absl::StatusOr<const char*> CheckLeaf(PageId id, const char* page) const;
  // Frees the leaf, which has been merged.
  absl::Status FreeLeaf(PageId id);
  absl::Status CopyRecords(const LeafView& leaf, uint32_t begin, uint32_t end);
  absl::Status DropRecord(const LeafView& leaf, uint32_t index);
  absl::Status AddChange();
  // The change's payload, and its value on disk if it is a large one.
  absl::StatusOr<NodeItems::Entry> EntryOfChange(char* extent_payload);
  absl::Status CheckChange() const;
  absl::Status FreeExtent(const ExtentRef& extent);
  void NextChange();

  const Tree tree_;
  const Target target_;
  TreeBuilder builder_;
  ChangeSource* changes_ = nullptr;
  const Progress* progress_ = nullptr;
  // Not null while slices are being folded or joined; then it is changes_, too.
  const MergedChanges* folding_ = nullptr;
  bool rewrite_ = false;
  uint64_t fold_left_ = 0;     // pages of nodes that are still to be folded
  std::string fold_from_;      // where Fold began, or went on to
  uint64_t changes_done_ = 0;  // of the checkpoint's own
  uint64_t steps_ = 0;
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
