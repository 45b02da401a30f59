#include "pagestore/tree_reader.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "pagestore/node.h"
#include "pagestore/node_reader.h"
#include "pagestore/slice.h"
#include "pagestore/slice_filter.h"
#include "pagestore/value_reader.h"
#include "storage/epoch.h"
#include "storage/status.h"

namespace emdb {
namespace {

// What a leaf, or the slices of a node, say of a key.
enum class Says { kNothing, kDeleted, kFound };
struct Answer {
  Says says = Says::kNothing;
  const char* page = nullptr;  // that `payload` lies in
  bool is_large = false;       // the payload is an extent's reference
  std::string_view payload = {};
};

Answer AskLeaf(const char* page, std::string_view key) {
  const LeafView leaf(page);
  const LeafView::Position position = leaf.Find(key);
  if (!position.found) return {};
  const LeafView::Cell cell = leaf.cell(position.index);
  if (cell.kind == CellKind::kTombstone) return {.says = Says::kDeleted};
  return {Says::kFound, page, cell.kind == CellKind::kExtent, cell.payload};
}

absl::Status WrongKind(const Tree& tree, PageId id) {
  return tree.file->Corruption(id, "a node of another kind than its parent says");
}

// Asks the slices of a buffered node, from the newest on. `page` is not read after the first use of
// `reader`.
absl::StatusOr<Answer> AskSlices(const Tree& tree, NodeReader* reader, const char* page,
                                 std::string_view key) {
  const SliceList slices(page);
  const uint32_t count = slices.size();
  std::array<PageRef, kMaxSlices> roots;
  for (uint32_t i = 0; i < count; ++i) {
    roots[i] = slices.at(i).root;
    tree.cache->PrefetchEntry(roots[i].id);
  }
  const uint64_t hash = FilterHash(key);
  for (uint32_t i = 0; i < count; ++i) {
    EMDB_ASSIGN_OR_RETURN(const char* root_page, reader->Read(roots[i], kSliceHeight - 1));
    // Of the pages of this level only these have a filter.
    if (PageKindField(root_page) != PageKind::kSliceRoot) [[unlikely]] {
      return tree.file->Corruption(roots[i].id, "not the slice that its node refers to");
    }
    if (!FilterMayContain(hash, SliceFilter(root_page))) continue;
    const InnerView root(root_page);
    const PageRef ref = root.child(root.ChildFor(key));
    EMDB_ASSIGN_OR_RETURN(const char* leaf, reader->Read(ref, 0));
    if (PageKindField(leaf) != PageKind::kSliceLeaf) [[unlikely]]
      return WrongKind(tree, ref.id);
    if (const Answer answer = AskLeaf(leaf, key); answer.says != Says::kNothing) return answer;
  }
  return Answer();
}

// Finds the key; its answer's page is readable until the next use of `reader`.
absl::StatusOr<Answer> Ask(const Tree& tree, NodeReader* reader, std::string_view key) {
  PageRef ref = tree.root;
  for (uint32_t level = tree.root_level(); level > 0; --level) {
    EMDB_ASSIGN_OR_RETURN(const char* page, reader->Read(ref, level));
    const PageKind kind = PageKindField(page);
    if (kind == PageKind::kSliceRoot) [[unlikely]]
      return WrongKind(tree, ref.id);
    const InnerView node(page);
    ref = node.child(node.ChildFor(key));
    if (kind == PageKind::kBuffered) [[unlikely]] {
      EMDB_ASSIGN_OR_RETURN(const Answer answer, AskSlices(tree, reader, page, key));
      if (answer.says != Says::kNothing) return answer;
    }
  }
  EMDB_ASSIGN_OR_RETURN(const char* page, reader->Read(ref, 0));
  if (PageKindField(page) != PageKind::kLeaf) [[unlikely]]
    return WrongKind(tree, ref.id);
  return AskLeaf(page, key);
}

void TakeInline(NodeReader*, const Answer& answer, std::string* value) {
  value->assign(answer.payload);
}
void TakeInline(NodeReader* reader, const Answer& answer, PinnedValue* value) {
  value->Pin(reader->Pin(answer.page), answer.payload);
}
std::string* PlaceForLarge(std::string* value) { return value; }
std::string* PlaceForLarge(PinnedValue* value) { return value->StartCopy(); }

template <typename Value>
absl::Status Get(const Tree& tree, std::string_view key, Value* value) {
  if (tree.height == 0) return absl::Status(absl::StatusCode::kNotFound, "");
  ExtentRef extent;
  {
    NodeReader reader(tree, PageCache::Use::kPoint);
    EMDB_ASSIGN_OR_RETURN(const Answer answer, Ask(tree, &reader, key));
    if (answer.says != Says::kFound) return absl::Status(absl::StatusCode::kNotFound, "");
    if (!answer.is_large) {
      TakeInline(&reader, answer, value);
      return absl::OkStatus();
    }
    extent = DecodeExtentRef(answer.payload.data());
  }
  // Read from the file when no guard is held.
  return ReadValue(*tree.file, extent, PlaceForLarge(value));
}

// Keys of a MultiGet that go through the tree together: 32 overlap nearly as much as 64, and their
// pages' first lines fit in the nearest caches.
class Batch {
 public:
  static constexpr size_t kMaxKeys = 32;

  explicit Batch(const Tree& tree) : tree_(tree) {}

  bool full() const { return size_ == kMaxKeys; }
  void Add(std::string_view key, std::string* value, absl::Status* status) {
    Lookup& lookup = lookups_[size_++];
    lookup.key = key;
    lookup.value = value;
    lookup.status = status;
  }
  void Run();

 private:
  struct Lookup {
    std::string_view key;
    std::string* value = nullptr;
    absl::Status* status = nullptr;
    PageRef ref;
    const char* page = nullptr;  // null: not in memory, to be looked up alone
    uint32_t slot = 0;           // in the leaf, the candidate
    bool may_be_there = false;
    bool alone = false;
    bool wants_leaf = false;  // `ref`, which may not be in memory
  };

  // Finds the page of each lookup's reference in memory.
  void Translate(uint32_t level);
  void SearchInner();
  void SearchLeaves();
  void CopyFound();
  // Reads the leaves that are wanted and not in memory, all at once.
  void LoadLeaves();

  const Tree& tree_;
  std::array<Lookup, kMaxKeys> lookups_;
  size_t size_ = 0;
};

void Batch::Translate(uint32_t level) {
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone) continue;
    lookup.page = tree_.cache->Find(lookup.ref.id, PageCache::Use::kPoint);
    if (lookup.page == nullptr) {
      lookup.alone = true;
      lookup.wants_leaf = level == 0;
      continue;
    }
    PrefetchNode(lookup.page);
  }
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone) continue;
    // What is wrong with the page, the lookup alone will say.
    const PageKind kind = PageKindField(lookup.page);
    const bool is_of_slice = kind == PageKind::kSliceLeaf || kind == PageKind::kSliceRoot;
    if (PageLevelField(lookup.page) != level || is_of_slice) [[unlikely]]
      lookup.alone = true;
  }
}

void Batch::SearchInner() {
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone) continue;
    const InnerView node(lookup.page);
    lookup.ref = node.child(node.ChildFor(lookup.key));
    // Its slices are asked first; most keys are in the leaf all the same.
    const bool has_slices = PageKindField(lookup.page) == PageKind::kBuffered;
    lookup.alone = lookup.wants_leaf = has_slices;
    tree_.cache->PrefetchEntry(lookup.ref.id);
  }
}

void Batch::SearchLeaves() {
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone) continue;
    const LeafView leaf(lookup.page);
    lookup.slot = leaf.Candidate(lookup.key);
    lookup.may_be_there = lookup.slot < leaf.count();
  }
}

void Batch::CopyFound() {
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone || !lookup.may_be_there) continue;
    const LeafView leaf(lookup.page);
    const LeafView::Position position = leaf.FindFrom(lookup.slot, lookup.key);
    if (!position.found) continue;
    const LeafView::Cell cell = leaf.cell(position.index);
    if (cell.kind == CellKind::kExtent) {
      lookup.alone = true;
      continue;
    }
    lookup.value->assign(cell.payload);
    *lookup.status = absl::OkStatus();
  }
}

void Batch::LoadLeaves() {
  std::vector<PageRef> leaves;
  for (const Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.wants_leaf) leaves.push_back(lookup.ref);
  }
  const auto by_id = [](const PageRef& a, const PageRef& b) { return a.id < b.id; };
  std::sort(leaves.begin(), leaves.end(), by_id);
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  if (leaves.size() > 1) tree_.cache->LoadAhead(leaves, 0);
}

void Batch::Run() {
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) lookup.ref = tree_.root;
  {
    const EpochGuard guard(tree_.cache->epoch());
    for (uint32_t level = tree_.root_level(); level > 0; --level) {
      Translate(level);
      SearchInner();
    }
    Translate(0);
    SearchLeaves();
    CopyFound();
  }
  // What needs the disk goes through it without a guard.
  LoadLeaves();
  for (Lookup& lookup : absl::MakeSpan(lookups_.data(), size_)) {
    if (lookup.alone) *lookup.status = GetFromTree(tree_, lookup.key, lookup.value);
  }
  lookups_ = {};
  size_ = 0;
}

}  // namespace

absl::Status GetFromTree(const Tree& tree, std::string_view key, std::string* value) {
  return Get(tree, key, value);
}

absl::Status GetFromTree(const Tree& tree, std::string_view key, PinnedValue* value) {
  return Get(tree, key, value);
}

void MultiGetFromTree(const Tree& tree, absl::Span<const std::string_view> keys,
                      absl::Span<std::string> values, absl::Span<absl::Status> statuses) {
  if (tree.height == 0) return;
  Batch batch(tree);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!absl::IsNotFound(statuses[i])) continue;
    batch.Add(keys[i], &values[i], &statuses[i]);
    if (batch.full()) batch.Run();
  }
  batch.Run();
}

}  // namespace emdb
