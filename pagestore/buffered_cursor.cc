#include "pagestore/buffered_cursor.h"

#include "pagestore/node_reader.h"
#include "pagestore/slice.h"
#include "storage/status.h"

namespace emdb {
namespace {

// The child with the largest keys below `bound`.
uint32_t ChildBefore(const InnerView& node, std::string_view bound) {
  const uint32_t child = node.ChildFor(bound);
  return child > 0 && node.separator(child - 1) == bound ? child - 1 : child;
}

}  // namespace

void BufferedCursor::Fail(const absl::Status& status) {
  current_ = nullptr;
  sources_.clear();
  status_ = status;
}

absl::Status BufferedCursor::OpenSources(Choose choose) {
  current_ = nullptr;
  sources_.clear();
  lower_.reset();
  upper_.reset();
  NodeReader reader(tree_, PageCache::Use::kPoint);
  PageRef ref = tree_.root;
  for (uint32_t level = tree_.root_level(); level > 1; --level) {
    EMDB_ASSIGN_OR_RETURN(const char* page, reader.Read(ref, level));
    const InnerView node(page);
    const uint32_t child = choose(node);
    if (child > 0) lower_ = node.separator(child - 1);
    if (child < node.separator_count()) upper_ = node.separator(child);
    ref = node.child(child);
  }
  EMDB_ASSIGN_OR_RETURN(const char* page, reader.Read(ref, 1));
  const SliceList slices(page);
  for (uint32_t i = 0; i < slices.size(); ++i) {
    sources_.emplace_back(SliceTree(tree_, slices.at(i)));
  }
  sources_.emplace_back(Tree{tree_.file, tree_.cache, ref, /*height=*/2});
  return absl::OkStatus();
}

bool BufferedCursor::EnterNode(Choose choose) {
  const absl::Status status = OpenSources(choose);
  if (!status.ok()) Fail(status);
  return status.ok();
}

bool BufferedCursor::EnterNextNode() {
  if (direction_ == Direction::kForward) {
    if (!upper_) return false;
    const std::string bound = *upper_;
    if (!EnterNode([&](const InnerView& node) { return node.ChildFor(bound); })) return false;
    for (TreeCursor& source : sources_) source.SeekToFirst();
  } else {
    if (!lower_) return false;
    const std::string bound = *lower_;
    if (!EnterNode([&](const InnerView& node) { return ChildBefore(node, bound); })) return false;
    for (TreeCursor& source : sources_) source.SeekToLast();
  }
  return true;
}

TreeCursor* BufferedCursor::Nearest() {
  TreeCursor* nearest = nullptr;
  for (TreeCursor& source : sources_) {
    if (!source.Valid()) {
      if (!source.status().ok()) {
        Fail(source.status());
        return nullptr;
      }
      continue;
    }
    if (nearest != nullptr) {
      const int order = source.key().compare(nearest->key());
      if (direction_ == Direction::kForward ? order >= 0 : order <= 0) continue;
    }
    nearest = &source;
  }
  return nearest;
}

void BufferedCursor::Find() {
  for (;;) {
    current_ = Nearest();
    if (!status_.ok()) return;
    if (current_ == nullptr) {
      if (!EnterNextNode()) return;
    } else if (current_->is_tombstone()) {
      StepFrom(current_->key());
    } else {
      return;
    }
  }
}

void BufferedCursor::StepFrom(std::string_view key) {
  // The source whose bytes `key` is goes last.
  TreeCursor* owner = nullptr;
  for (TreeCursor& source : sources_) {
    if (!source.Valid() || source.key() != key) continue;
    if (source.key().data() == key.data()) {
      owner = &source;
      continue;
    }
    direction_ == Direction::kForward ? source.Next() : source.Prev();
  }
  if (owner == nullptr) return;
  direction_ == Direction::kForward ? owner->Next() : owner->Prev();
}

void BufferedCursor::Turn(Direction direction) {
  const std::string key(current_->key());
  direction_ = direction;
  for (TreeCursor& source : sources_) {
    direction == Direction::kForward ? source.Seek(key) : source.SeekForPrev(key);
  }
  StepFrom(key);
}

void BufferedCursor::SeekToFirst() {
  status_ = absl::OkStatus();
  direction_ = Direction::kForward;
  if (!EnterNode([](const InnerView&) { return 0u; })) return;
  for (TreeCursor& source : sources_) source.SeekToFirst();
  Find();
}

void BufferedCursor::SeekToLast() {
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  if (!EnterNode([](const InnerView& node) { return node.separator_count(); })) return;
  for (TreeCursor& source : sources_) source.SeekToLast();
  Find();
}

void BufferedCursor::Seek(std::string_view target) {
  status_ = absl::OkStatus();
  direction_ = Direction::kForward;
  if (!EnterNode([target](const InnerView& node) { return node.ChildFor(target); })) return;
  for (TreeCursor& source : sources_) source.Seek(target);
  Find();
}

void BufferedCursor::SeekForPrev(std::string_view target) {
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  if (!EnterNode([target](const InnerView& node) { return node.ChildFor(target); })) return;
  for (TreeCursor& source : sources_) source.SeekForPrev(target);
  Find();
}

void BufferedCursor::Next() {
  if (current_ == nullptr) return;
  direction_ == Direction::kForward ? StepFrom(current_->key()) : Turn(Direction::kForward);
  Find();
}

void BufferedCursor::Prev() {
  if (current_ == nullptr) return;
  direction_ == Direction::kBackward ? StepFrom(current_->key()) : Turn(Direction::kBackward);
  Find();
}

std::string_view BufferedCursor::value() {
  if (current_ == nullptr) return {};
  const std::string_view value = current_->value();
  if (value.empty() && !current_->status().ok()) {
    // No move: what key() has returned stays readable, so the sources stay.
    status_ = current_->status();
    current_ = nullptr;
    return {};
  }
  return value;
}

}  // namespace emdb
