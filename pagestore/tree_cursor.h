// TreeCursor: the Cursor over one tree. The leaf it stands on is pinned; of the pages above it
// keeps the references and looks them up again when it moves on, so a cursor that is left standing
// holds one frame.
//
// Leaves that it reaches by moving are not marked as used in the cache, and once it has moved
// through a few that were not there, it reads ahead into memory of its own and leaves them out of a
// cache that is full.

#ifndef EMDB_PAGESTORE_TREE_CURSOR_H_
#define EMDB_PAGESTORE_TREE_CURSOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/cursor.h"
#include "pagestore/node.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_format.h"
#include "pagestore/read_ahead.h"
#include "pagestore/tree.h"
#include "storage/short_string.h"

namespace emdb {

class TreeCursor : public Cursor {
 public:
  enum class Plan {
    kAny,
    // From SeekToFirst to the end, once: leaves are read in large pieces from the first on, and
    // left out of the cache.
    kReadAll,
  };

  // The tree's generation stays pinned while the cursor lives.
  explicit TreeCursor(const Tree& tree, Plan plan = Plan::kAny);

  bool Valid() const override { return valid_; }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return key_.view(); }
  std::string_view value() override;
  absl::Status status() const override { return status_; }

  // The page it stands on.
  PageId leaf_id() const { return PageIdField(leaf_); }
  // Of the record it stands at; the cell goes with the position. Only slices have tombstones.
  const LeafView::Cell& cell() const { return cell_; }
  bool is_tombstone() const { return cell_.kind == CellKind::kTombstone; }

 private:
  enum class Direction { kForward, kBackward };
  struct PathEntry {
    PageRef ref;
    uint32_t slot = 0;
    uint32_t child_count = 0;
  };

  void Reset();
  // Goes down from a node of `level` to a leaf, taking the child that `choose` names in each node.
  template <typename Choose>
  absl::Status Descend(PageRef ref, uint32_t level, Choose choose);
  // Goes to the next leaf; the cursor is at its near end, or not valid if there is none.
  // Out of the way of a step within the leaf.
  [[gnu::noinline]] void MoveToLeaf(Direction direction);
  // Moves the path to the next child of level 1 and sets *leaf to it; false at the end of the tree.
  absl::StatusOr<bool> StepPath(Direction direction, PageRef* leaf);
  absl::Status LoadLeaf(PageRef ref);
  // The leaf that the path leads to, of a walk in `direction`.
  absl::Status LoadNextLeaf(PageRef ref, Direction direction);
  // Reads that leaf, and with it those behind it.
  absl::StatusOr<const char*> ReadLeaf(PageRef ref, Direction direction);
  absl::Status EnterLeaf(PageRef ref, const char* page);
  // `direction`: where it is likely to go from there.
  void SetPosition(uint32_t slot, Direction direction);
  void Fail(const absl::Status& status);

  const Tree tree_;
  const Plan plan_;
  absl::InlinedVector<PathEntry, 4> path_;  // [level] for levels 1 and up
  PagePin pin_;
  const char* leaf_ = nullptr;  // pin_'s page, or one of read_ahead_
  uint32_t leaf_count_ = 0;
  uint32_t slot_ = 0;
  bool valid_ = false;
  bool large_loaded_ = false;
  // Leaves reached by moving that were not in the cache, since the last seek. Not only those in a
  // row: a long scan through a cache that has some of them reads ahead all the same.
  uint32_t missed_leaves_ = 0;
  ShortString key_;  // prefix of the leaf and suffix of the cell
  size_t prefix_size_ = 0;
  LeafView::Cell cell_;
  std::string large_value_;
  ReadAhead read_ahead_;
  std::vector<PageRef> wanted_;  // the leaf to read and what is to be read behind it
  absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_TREE_CURSOR_H_
