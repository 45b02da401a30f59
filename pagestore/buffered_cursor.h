// BufferedCursor: the Cursor over a tree some of whose nodes have slices. It goes through the nodes
// of level 1 one after another, and merges what each has: the newest slice that knows a key
// decides, the leaves come last.
//
// The sources are TreeCursors, one for the node's leaves and one for each slice; see there for what
// they pin and read ahead.

#ifndef EMDB_PAGESTORE_BUFFERED_CURSOR_H_
#define EMDB_PAGESTORE_BUFFERED_CURSOR_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "pagestore/cursor.h"
#include "pagestore/node.h"
#include "pagestore/tree.h"
#include "pagestore/tree_cursor.h"

namespace emdb {

class BufferedCursor : public Cursor {
 public:
  // The tree has at least two levels; its generation stays pinned while the cursor lives.
  explicit BufferedCursor(const Tree& tree) : tree_(tree) {}

  bool Valid() const override { return current_ != nullptr; }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return current_->key(); }
  std::string_view value() override;
  absl::Status status() const override { return status_; }

 private:
  enum class Direction { kForward, kBackward };
  // Which child of an inner node to go down to.
  using Choose = absl::FunctionRef<uint32_t(const InnerView&)>;

  // Makes the sources those of another node. False after an error.
  bool EnterNode(Choose choose);
  absl::Status OpenSources(Choose choose);
  // The next node in the direction, at its near end; false if there is none.
  bool EnterNextNode();
  // To the nearest record in the direction that is not deleted, from where the sources stand.
  void Find();
  TreeCursor* Nearest();
  // Moves all sources that stand at `key` on by one.
  void StepFrom(std::string_view key);
  void Turn(Direction direction);
  void Fail(const absl::Status& status);

  const Tree tree_;
  std::deque<TreeCursor> sources_;  // the newest slice first, the leaves last
  // The keys of the node: lower_ <= key < upper_; no bounds at the ends of the tree.
  std::optional<std::string> lower_;
  std::optional<std::string> upper_;
  TreeCursor* current_ = nullptr;
  Direction direction_ = Direction::kForward;
  absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_BUFFERED_CURSOR_H_
