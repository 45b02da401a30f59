#include "pagestore/tree_cursor.h"

#include <utility>

#include "pagestore/node_reader.h"
#include "pagestore/value_reader.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint32_t kReadAheadBytes = 256 << 10;
// A short scan's few leaves are kept for the next one like it; behind them it is a long one.
constexpr uint32_t kShortScanLeaves = 2;

}  // namespace

TreeCursor::TreeCursor(const Tree& tree, Plan plan)
    : tree_(tree),
      plan_(plan),
      path_(tree.height),
      read_ahead_(tree.file, kReadAheadBytes / tree.file->page_size()) {}

void TreeCursor::Reset() {
  valid_ = false;
  leaf_ = nullptr;
  pin_.Reset();
  missed_leaves_ = 0;
  plan_ == Plan::kReadAll ? read_ahead_.ExpectAll() : read_ahead_.Restart();
  status_ = absl::OkStatus();
}

void TreeCursor::Fail(const absl::Status& status) {
  valid_ = false;
  leaf_ = nullptr;
  pin_.Reset();
  status_ = status;
}

template <typename Choose>
absl::Status TreeCursor::Descend(PageRef ref, uint32_t level, Choose choose) {
  {
    NodeReader reader(tree_, PageCache::Use::kPoint);
    for (; level > 0; --level) {
      EMDB_ASSIGN_OR_RETURN(const char* page, reader.Read(ref, level));
      const InnerView node(page);
      const uint32_t slot = choose(node);
      path_[level] = {ref, slot, node.child_count()};
      ref = node.child(slot);
    }
  }
  return plan_ == Plan::kReadAll ? LoadNextLeaf(ref, Direction::kForward) : LoadLeaf(ref);
}

absl::Status TreeCursor::LoadLeaf(PageRef ref) {
  EMDB_ASSIGN_OR_RETURN(pin_, tree_.cache->Load(ref, 0, PageCache::Use::kPoint));
  return EnterLeaf(ref, pin_.data());
}

absl::Status TreeCursor::EnterLeaf(PageRef ref, const char* page) {
  if (PageKindField(page) != tree_.leaf_kind) {
    return tree_.file->Corruption(ref.id, "a node of another kind than its parent says");
  }
  leaf_ = page;
  const LeafView leaf(page);
  leaf_count_ = leaf.count();
  prefix_size_ = leaf.prefix().size();
  key_.Assign(leaf.prefix());
  return absl::OkStatus();
}

void TreeCursor::SetPosition(uint32_t slot, Direction direction) {
  slot_ = slot;
  cell_ = LeafView(leaf_).cell(slot);
  PrefetchAhead(cell_, direction == Direction::kForward);
  key_.ReplaceTail(prefix_size_, cell_.suffix);
  large_loaded_ = false;
  valid_ = true;
}

void TreeCursor::SeekToFirst() {
  Reset();
  if (tree_.height == 0) return;
  const absl::Status status =
      Descend(tree_.root, tree_.root_level(), [](const InnerView&) { return 0u; });
  if (!status.ok()) return Fail(status);
  SetPosition(0, Direction::kForward);
}

void TreeCursor::SeekToLast() {
  Reset();
  if (tree_.height == 0) return;
  const absl::Status status = Descend(tree_.root, tree_.root_level(),
                                      [](const InnerView& node) { return node.separator_count(); });
  if (!status.ok()) return Fail(status);
  SetPosition(leaf_count_ - 1, Direction::kBackward);
}

void TreeCursor::Seek(std::string_view target) {
  Reset();
  if (tree_.height == 0) return;
  const absl::Status status =
      Descend(tree_.root, tree_.root_level(),
              [target](const InnerView& node) { return node.ChildFor(target); });
  if (!status.ok()) return Fail(status);
  const uint32_t slot = LeafView(leaf_).LowerBound(target).index;
  if (slot < leaf_count_) return SetPosition(slot, Direction::kForward);
  MoveToLeaf(Direction::kForward);
}

void TreeCursor::SeekForPrev(std::string_view target) {
  Reset();
  if (tree_.height == 0) return;
  const absl::Status status =
      Descend(tree_.root, tree_.root_level(),
              [target](const InnerView& node) { return node.ChildFor(target); });
  if (!status.ok()) return Fail(status);
  const LeafView::Position position = LeafView(leaf_).LowerBound(target);
  if (position.found) return SetPosition(position.index, Direction::kBackward);
  if (position.index > 0) return SetPosition(position.index - 1, Direction::kBackward);
  MoveToLeaf(Direction::kBackward);
}

void TreeCursor::Next() {
  if (!valid_) return;
  if (slot_ + 1 < leaf_count_) return SetPosition(slot_ + 1, Direction::kForward);
  MoveToLeaf(Direction::kForward);
}

void TreeCursor::Prev() {
  if (!valid_) return;
  if (slot_ > 0) return SetPosition(slot_ - 1, Direction::kBackward);
  MoveToLeaf(Direction::kBackward);
}

void TreeCursor::MoveToLeaf(Direction direction) {
  valid_ = false;
  PageRef leaf;
  const absl::StatusOr<bool> stepped = StepPath(direction, &leaf);
  if (!stepped.ok()) return Fail(stepped.status());
  if (!*stepped) return;
  if (absl::Status status = LoadNextLeaf(leaf, direction); !status.ok()) return Fail(status);
  SetPosition(direction == Direction::kForward ? 0 : leaf_count_ - 1, direction);
}

absl::StatusOr<bool> TreeCursor::StepPath(Direction direction, PageRef* leaf) {
  const bool forward = direction == Direction::kForward;
  uint32_t level = 1;
  for (;; ++level) {
    if (level >= tree_.height) return false;
    const PathEntry& entry = path_[level];
    if (forward ? entry.slot + 1 < entry.child_count : entry.slot > 0) break;
  }
  path_[level].slot += forward ? 1 : -1;
  PageRef ref = path_[level].ref;
  NodeReader reader(tree_, PageCache::Use::kPoint);
  while (true) {
    EMDB_ASSIGN_OR_RETURN(const char* page, reader.Read(ref, level));
    const InnerView node(page);
    const uint32_t slot = path_[level].slot;
    if (level == 1) {
      *leaf = node.child(slot);
      return true;
    }
    ref = node.child(slot);
    --level;
    EMDB_ASSIGN_OR_RETURN(page, reader.Read(ref, level));
    const uint32_t child_count = InnerView(page).child_count();
    path_[level] = {ref, forward ? 0 : child_count - 1, child_count};
  }
}

absl::Status TreeCursor::LoadNextLeaf(PageRef ref, Direction direction) {
  PagePin pin = tree_.cache->Pin(ref.id, PageCache::Use::kSequential);
  const bool reads_all = plan_ == Plan::kReadAll;
  if (pin.data() == nullptr && !reads_all && ++missed_leaves_ <= kShortScanLeaves) {
    EMDB_ASSIGN_OR_RETURN(pin, tree_.cache->Load(ref, 0, PageCache::Use::kSequential));
  }
  pin_ = std::move(pin);
  if (pin_.data() != nullptr) return EnterLeaf(ref, pin_.data());
  EMDB_ASSIGN_OR_RETURN(const char* page, ReadLeaf(ref, direction));
  if (!reads_all && tree_.cache->HasRoom()) tree_.cache->Insert(ref.id, page, /*evict=*/false);
  return EnterLeaf(ref, page);
}

absl::StatusOr<const char*> TreeCursor::ReadLeaf(PageRef ref, Direction direction) {
  wanted_.assign(1, ref);
  if (tree_.height > 1 && !read_ahead_.Holds(ref.id)) {
    NodeReader reader(tree_, PageCache::Use::kPoint);
    const PathEntry& parent = path_[1];
    EMDB_ASSIGN_OR_RETURN(const char* page, reader.Read(parent.ref, 1));
    const InnerView node(page);
    const uint32_t step = direction == Direction::kForward ? 1 : UINT32_MAX;
    // Going backward, i passes below 0 and ends the loop.
    for (uint32_t i = parent.slot + step;
         i < node.child_count() && wanted_.size() < read_ahead_.max_pages(); i += step) {
      const PageRef next = node.child(i);
      if (!tree_.cache->Contains(next.id)) wanted_.push_back(next);
    }
  }
  return read_ahead_.Read(wanted_, 0);
}

std::string_view TreeCursor::value() {
  if (!valid_) return {};
  if (cell_.kind != CellKind::kExtent) return cell_.payload;
  if (!large_loaded_) {
    const absl::Status status =
        ReadValue(*tree_.file, DecodeExtentRef(cell_.payload.data()), &large_value_);
    if (!status.ok()) {
      Fail(status);
      return {};
    }
    large_loaded_ = true;
  }
  return large_value_;
}

}  // namespace emdb
