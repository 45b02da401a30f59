// MergedChanges: what a checkpoint and a node's slices say together of each key: the newest change,
// from the checkpoint's own changes down to the oldest of the slices, in key order. A change that a
// newer one hides is dropped, and the pages of its large value, if it has one, are freed. A slice
// with a key that is not the node's is DataLoss.
//
// For one thread.

#ifndef EMDB_PAGESTORE_MERGED_CHANGES_H_
#define EMDB_PAGESTORE_MERGED_CHANGES_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/change_source.h"
#include "pagestore/free_space.h"
#include "pagestore/page_format.h"
#include "pagestore/slice.h"
#include "pagestore/tree.h"
#include "pagestore/tree_cursor.h"

namespace emdb {

// The keys below a node: lower <= key < upper.
struct NodeBounds {
  std::string_view lower;
  std::optional<std::string_view> upper;
};

class MergedChanges : public ChangeSource {
 public:
  // Of `newest` only keys below the node's upper bound are taken. All outlive it, the node's page
  // included.
  MergedChanges(const Tree& tree, absl::Span<const SliceRef> slices, ChangeSource* newest,
                const NodeBounds& bounds, FreeSpace* free_space);

  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return key_; }
  // Empty if extent() says where the value is.
  std::string_view value() const override;
  bool is_deletion() const override;
  absl::Status status() const override { return status_; }

  // Where the value stands, if it is a large one of a slice.
  std::optional<ExtentRef> extent() const;
  // How many changes of `newest` it has been through.
  uint64_t taken() const { return taken_; }

 private:
  static constexpr size_t kNewest = 0;  // cursors_[i] is source i + 1

  bool IsBelowUpper(std::string_view key) const { return !bounds_.upper || key < *bounds_.upper; }
  bool NewestIsValid() const { return newest_->Valid() && IsBelowUpper(newest_->key()); }
  bool SourceValid(size_t i) const {
    return i == kNewest ? NewestIsValid() : cursors_[i - 1].Valid();
  }
  std::string_view SourceKey(size_t i) const {
    return i == kNewest ? newest_->key() : cursors_[i - 1].key();
  }
  // Sets current_ to the newest source with the smallest key.
  void FindSmallest();
  // Moves source `i` on; its change counts no more.
  void Drop(size_t i);
  void Advance(size_t i);
  // Fails if the cursor has, or has come to a key that is not the node's.
  void CheckCursor(const TreeCursor& cursor);
  void Fail(absl::Status status);

  const PageFile* const file_;
  ChangeSource* const newest_;
  const NodeBounds bounds_;
  FreeSpace* const free_space_;
  std::deque<TreeCursor> cursors_;  // newest slice first
  size_t current_ = kNewest;
  bool valid_ = false;
  std::string_view key_;
  uint64_t taken_ = 0;
  absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_MERGED_CHANGES_H_
