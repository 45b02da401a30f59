#include "kv/memtable.h"

#include <algorithm>
#include <new>
#include <utility>

#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

// The entries of `node` from here on have keys: the first of an inner node has none.
uint32_t FirstKey(const MemtableNode& node) { return node.is_leaf() ? 0 : 1; }

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + limit, b.begin()).first -
                             a.begin());
}

}  // namespace

absl::StatusOr<std::shared_ptr<Memtable>> Memtable::Create(std::shared_ptr<ArenaPool> pool,
                                                           size_t min_capacity_bytes) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Arena> arena, pool->Take(min_capacity_bytes));
  return std::shared_ptr<Memtable>(new Memtable(std::move(pool), std::move(arena)));
}

Memtable::Memtable(std::shared_ptr<ArenaPool> pool, std::unique_ptr<Arena> arena)
    : pool_(std::move(pool)), arena_(std::move(arena)), filter_(arena_->capacity_bytes()) {
  last_leaf_ = NewNode(0);
  root_.store(last_leaf_, std::memory_order_release);
}

Memtable::~Memtable() { pool_->GiveBack(std::move(arena_)); }

// ---- Readers
// --------------------------------------------------------------------------------------------------

const MemtableRecord* Memtable::Visible(Arena::Ref ref, uint64_t seq_limit) const {
  while (ref != 0) {
    const MemtableRecord* const r = record(ref);
    // Relaxed: a record is made void before a limit above its seq is published, and that
    // synchronizes.
    if (r->seq < seq_limit && r->kind.load(std::memory_order_relaxed) != RecordKind::kVoid)
      return r;
    ref = r->older;
  }
  return nullptr;
}

bool Memtable::FindEntry(const MemtableNode& in, uint32_t version, std::string_view key,
                         Position* out) const {
  const uint32_t count = in.count();
  const size_t prefix_size = in.prefix_size();
  out->equal = false;
  if (const int order = in.ComparePrefix(key, prefix_size); order != 0) {
    out->index = order < 0 ? FirstKey(in) : count;
    return in.Validate(version);
  }
  const uint64_t head = KeyWord(key, prefix_size);
  uint32_t low = in.FindHead(FirstKey(in), count, head);
  uint32_t high = count;
  // Whole keys are compared only where heads are equal: mostly once, with the first such entry.
  for (uint32_t probe = low; low < high; probe = low + (high - low) / 2) {
    if (in.head(probe) != head) {
      high = probe;
      continue;
    }
    const Arena::Ref ref = in.record(probe);
    // What was read in a torn state must not be followed.
    if (!in.Validate(version)) return false;
    const int order = record(ref)->key().compare(key);
    if (order == 0) {
      *out = {probe, true};
      return true;
    }
    if (order < 0) {
      low = probe + 1;
    } else {
      high = probe;
    }
  }
  out->index = low;
  return in.Validate(version);
}

bool Memtable::FindChild(const MemtableNode& in, uint32_t version, std::string_view key,
                         Target target, uint32_t* index) const {
  if (target == Target::kLast) {
    *index = in.count() - 1;
    return in.Validate(version);
  }
  Position position;
  if (!FindEntry(in, version, key, &position)) return false;
  *index = target == Target::kKey && position.equal ? position.index : position.index - 1;
  return true;
}

bool Memtable::TryDescend(std::string_view key, Target target, Descent* out) const {
  const Arena::Ref root = root_.load(std::memory_order_acquire);
  const MemtableNode* at = node(root);
  uint32_t version = at->ReadVersion();
  // A root that has been split since holds only a part of the keys.
  if (root_.load(std::memory_order_acquire) != root) return false;
  Arena::Ref low_fence = 0;
  while (!at->is_leaf()) {
    uint32_t index = 0;
    if (!FindChild(*at, version, key, target, &index)) return false;
    const Arena::Ref child_ref = at->child(index);
    if (index > 0) low_fence = at->record(index);
    if (!at->Validate(version)) return false;
    const MemtableNode* const child = node(child_ref);
    child->Prefetch();
    const uint32_t child_version = child->ReadVersion();
    // Unchanged parent: the child was responsible for the key when its version was read.
    if (!at->Validate(version)) return false;
    at = child;
    version = child_version;
  }
  *out = {at, version, low_fence};
  return true;
}

Arena::Ref Memtable::Find(std::string_view key) const {
  for (;;) {
    Descent descent;
    Position position;
    if (!TryDescend(key, Target::kKey, &descent)) continue;
    if (!FindEntry(*descent.leaf, descent.version, key, &position)) continue;
    const Arena::Ref ref = position.equal ? descent.leaf->record(position.index) : 0;
    if (descent.leaf->Validate(descent.version)) return ref;
  }
}

Memtable::Lookup Memtable::Get(std::string_view key, uint64_t seq_limit,
                               std::string_view* value) const {
  if (!filter_.MayContain(key)) return Lookup::kAbsent;
  const MemtableRecord* const found = Visible(Find(key), seq_limit);
  if (found == nullptr) return Lookup::kAbsent;
  if (found->kind.load(std::memory_order_relaxed) == RecordKind::kDelete) return Lookup::kDeleted;
  *value = found->value();
  return Lookup::kFound;
}

void Memtable::Void(std::string_view key, uint64_t seq) const {
  for (Arena::Ref ref = Find(key); ref != 0 && record(ref)->seq >= seq; ref = record(ref)->older) {
    // Relaxed: published together with the limit that lets readers see this seq.
    if (record(ref)->seq == seq)
      record(ref)->kind.store(RecordKind::kVoid, std::memory_order_relaxed);
  }
}

bool Memtable::TryCopyLeaf(const MemtableNode& leaf, uint32_t version, std::string_view key,
                           Target target, LeafCopy* out) const {
  out->position = Position();
  if (target != Target::kLast && !FindEntry(leaf, version, key, &out->position)) return false;
  out->count = leaf.count();
  out->next = leaf.next();
  for (uint32_t i = 0; i < out->count; ++i) out->records[i] = leaf.record(i);
  if (target == Target::kLast) out->position.index = out->count;
  return leaf.Validate(version);
}

void Memtable::ReadLeaf(std::string_view key, Target target, LeafCopy* out) const {
  Descent descent;
  while (!TryDescend(key, target, &descent) ||
         !TryCopyLeaf(*descent.leaf, descent.version, key, target, out)) {
  }
  out->low_fence = descent.low_fence;
}

void Memtable::ReadLeafAt(Arena::Ref ref, LeafCopy* out) const {
  const MemtableNode* const leaf = node(ref);
  while (!TryCopyLeaf(*leaf, leaf->ReadVersion(), {}, Target::kKey, out)) {
  }
  // All of a leaf but the first one is at or behind its first key; an empty one has nothing to come
  // before.
  out->low_fence = out->count > 0 ? out->records[0] : 0;
}

bool Memtable::MayHavePut(const KeyRange& range, uint64_t from_seq) const {
  if (added_below() <= from_seq) return false;
  if (watched_from() > from_seq) return true;
  const Arena::Ref root = root_.load(std::memory_order_acquire);
  if (NodeMayHavePut(*node(root), range, from_seq)) return true;
  // As long as it is the root it has not been split.
  return root_.load(std::memory_order_acquire) != root;
}

bool Memtable::NodeMayHavePut(const MemtableNode& in, const KeyRange& range,
                              uint64_t from_seq) const {
  if (in.is_leaf()) return LeafMayHavePut(in, range, from_seq);
  const uint32_t version = in.ReadVersion();
  uint32_t first = 0;
  uint32_t last = 0;
  const Target end_target = range.end ? Target::kBefore : Target::kLast;
  if (!FindChild(in, version, range.begin, Target::kKey, &first)) return true;
  if (!FindChild(in, version, range.end.value_or(""), end_target, &last)) return true;
  const uint32_t count = in.count();
  std::array<Arena::Ref, MemtableNode::kInnerCapacity> children;
  for (uint32_t i = first; i <= last; ++i) children[i] = in.child(i);
  if (!in.Validate(version)) return true;
  for (uint32_t i = first; i <= last; ++i) {
    const MemtableNode& child = *node(children[i]);
    // What is appended at the right edge is noted in its leaf only.
    const bool may_be_edge = i + 1 == count;
    if (!may_be_edge && child.newest_put() < from_seq) continue;
    if (NodeMayHavePut(child, range, from_seq)) return true;
  }
  // A child that was split meanwhile has given away keys that were not looked at.
  return !in.Validate(version);
}

bool Memtable::LeafMayHavePut(const MemtableNode& leaf, const KeyRange& range,
                              uint64_t from_seq) const {
  if (leaf.newest_put() < from_seq) return false;
  LeafCopy copy;
  while (!TryCopyLeaf(leaf, leaf.ReadVersion(), range.begin, Target::kKey, &copy)) {
  }
  for (uint32_t i = copy.position.index; i < copy.count; ++i) {
    const MemtableRecord* r = record(copy.records[i]);
    if (range.end && r->key() >= *range.end) return false;
    while (r->seq >= from_seq) {
      if (r->kind.load(std::memory_order_relaxed) == RecordKind::kPut) return true;
      if (r->older == 0) break;
      r = record(r->older);
    }
  }
  return false;
}

// ---- The writer
// -----------------------------------------------------------------------------------------------

Arena::Ref Memtable::NewRecord(uint64_t seq, RecordKind kind, std::string_view key,
                               std::string_view value) {
  // The whole header is constructed, its last bytes are then overwritten by the key.
  const size_t size =
      std::max(MemtableRecord::SizeFor(key.size(), value.size()), sizeof(MemtableRecord));
  const Arena::Ref ref = arena_->Allocate(size, Arena::kUnitBytes);
  char* const at = arena_->At(ref);
  MemtableRecord* const r = new (at) MemtableRecord;
  r->seq = seq;
  r->older = 0;
  r->value_size = static_cast<uint32_t>(value.size());
  r->key_size = static_cast<uint16_t>(key.size());
  r->kind.store(kind, std::memory_order_relaxed);
  char* const bytes = at + MemtableRecord::kHeaderBytes;
  std::copy(key.begin(), key.end(), bytes);
  std::copy(value.begin(), value.end(), bytes + key.size());
  return ref;
}

size_t Memtable::RoomForMore(size_t operations, size_t bytes) const {
  // An operation splits at most the full node of each level that it passes. A node that was split
  // takes many more before it is full again, which RoomFor allows for.
  const size_t levels = node(root_.load(std::memory_order_relaxed))->level() + size_t{1};
  const size_t splits = std::min(operations * levels, nodes_);
  return RoomFor(operations, bytes) + splits * (MemtableNode::kBytes + alignof(MemtableNode));
}

Arena::Ref Memtable::NewNode(uint32_t level) {
  nodes_++;
  const Arena::Ref ref = arena_->Allocate(MemtableNode::kBytes, alignof(MemtableNode));
  new (arena_->At(ref)) MemtableNode(level);
  return ref;
}

void Memtable::CountRecord(uint64_t seq) {
  // Relaxed: in time for everybody who is given a limit above `seq`.
  added_below_.store(seq + 1, std::memory_order_relaxed);
  // One writer: a load and a store do. Release, so that a reader that sees a record counted sees it
  // linked.
  records_.store(records_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void Memtable::CountVersions(Arena::Ref newest, bool is_new_key) {
  if (is_new_key) keys_.store(key_count() + 1, std::memory_order_relaxed);
  const auto is_put = [this](Arena::Ref ref) {
    return record(ref)->kind.load(std::memory_order_relaxed) == RecordKind::kPut;
  };
  int64_t change = 0;
  Arena::Ref at = newest;
  do {
    const Arena::Ref older = record(at)->older;
    // Of what was before the first version is supposed that the write made sense.
    const bool was_there = older != 0 ? is_put(older) : !is_put(at);
    change += (is_put(at) ? 1 : 0) - (was_there ? 1 : 0);
    at = older;
  } while (is_new_key && at != 0);
  key_balance_.store(key_balance() + change, std::memory_order_relaxed);
}

void Memtable::HeedWatch() {
  if (is_watched_.load(std::memory_order_relaxed) && watched_from() == kNotWatched) {
    // Not the seq that comes, if its batch has other records, which were added before the watch.
    watched_from_.store(added_below(), std::memory_order_release);
  }
}

void Memtable::Add(uint64_t seq, RecordKind kind, std::string_view key, std::string_view value) {
  HeedWatch();
  Link(key, NewRecord(seq, kind, key, value));
  CountRecord(seq);
}

void Memtable::AddMany(uint64_t seq, absl::Span<const Change> changes) {
  EMDB_CHECK(changes.size() <= kMany);
  HeedWatch();
  // Few have no company, keys that ascend need no search, and noting puts needs the whole way.
  if (changes.size() < kMany / 2 || IsBehindAll(changes[0].key) || NotesPuts()) {
    for (const auto& [kind, key, value] : changes) Add(seq, kind, key, value);
    return;
  }
  const size_t nodes = nodes_;
  std::array<Arena::Ref, kMany> records;
  std::array<MemtableNode*, kMany> leaves;
  for (size_t i = 0; i < changes.size(); ++i) {
    const auto& [kind, key, value] = changes[i];
    leaves[i] = FetchLeaf(key);
    filter_.Prefetch(key);
    records[i] = NewRecord(seq, kind, key, value);
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    const std::string_view key = changes[i].key;
    // Without a split since, the key still belongs to that leaf.
    if (nodes_ == nodes && leaves[i]->count() < MemtableNode::kLeafCapacity) {
      filter_.Add(key);
      InsertIntoLeaf(leaves[i], key, records[i]);
    } else {
      Link(key, records[i]);
    }
    CountRecord(seq);
  }
}

MemtableNode* Memtable::FetchLeaf(std::string_view key) const {
  MemtableNode* at = node(root_.load(std::memory_order_relaxed));
  for (uint32_t level = at->level(); level > 0; --level) {
    uint32_t index = 0;
    (void)FindChild(*at, at->ReadVersion(), key, Target::kKey, &index);
    at = node(at->child(index));
    at->Prefetch();
  }
  return at;
}

void Memtable::Link(std::string_view key, Arena::Ref ref) {
  filter_.Add(key);
  if (!TryAppend(key, ref)) Insert(key, ref);
}

bool Memtable::IsBehindAll(std::string_view key) const {
  const MemtableNode* const leaf = node(last_leaf_);
  const uint32_t count = leaf->count();
  if (count == 0) return false;
  const size_t prefix_size = leaf->prefix_size();
  const int order = leaf->ComparePrefix(key, prefix_size);
  if (order != 0) return order > 0;
  const uint64_t head = KeyWord(key, prefix_size);
  const uint64_t last = leaf->head(count - 1);
  if (head != last) return head > last;
  return record(leaf->record(count - 1))->key() < key;
}

bool Memtable::TryAppend(std::string_view key, Arena::Ref ref) {
  MemtableNode* const leaf = node(last_leaf_);
  const uint32_t count = leaf->count();
  if (count == MemtableNode::kLeafCapacity || !IsBehindAll(key)) return false;
  NotePut(leaf, ref);
  InsertEntry(leaf, count, ref, 0);
  CountVersions(ref, /*is_new_key=*/true);
  return true;
}

void Memtable::Insert(std::string_view key, Arena::Ref ref) {
  if (MemtableNode* const root = node(root_.load(std::memory_order_relaxed));
      root->count() == root->capacity()) {
    GrowRoot();
  }
  MemtableNode* at = node(root_.load(std::memory_order_relaxed));
  bool right_edge = true;
  Position position;
  // The searches cannot fail here: nobody else writes.
  while (!at->is_leaf()) {
    NotePut(at, ref);
    uint32_t index = 0;
    (void)FindChild(*at, at->ReadVersion(), key, Target::kKey, &index);
    right_edge = right_edge && index + 1 == at->count();
    MemtableNode* child = node(at->child(index));
    child->Prefetch();
    if (child->count() == child->capacity()) {
      (void)FindEntry(*child, child->ReadVersion(), key, &position);
      SplitChild(at, index, right_edge && position.index == child->count(), ref);
      (void)FindChild(*at, at->ReadVersion(), key, Target::kKey, &index);
      right_edge = right_edge && index + 1 == at->count();
      child = node(at->child(index));
    }
    at = child;
  }
  NotePut(at, ref);
  InsertIntoLeaf(at, key, ref);
}

void Memtable::InsertIntoLeaf(MemtableNode* leaf, std::string_view key, Arena::Ref ref) {
  Position position;
  (void)FindEntry(*leaf, leaf->ReadVersion(), key, &position);
  if (position.equal) {
    record(ref)->older = leaf->record(position.index);
    CountVersions(ref, /*is_new_key=*/false);
    // One word: readers see the old chain or the new one, and need no new version of the node.
    leaf->set_record(position.index, ref);
    return;
  }
  InsertEntry(leaf, position.index, ref, 0);
  CountVersions(ref, /*is_new_key=*/true);
}

void Memtable::NotePut(MemtableNode* in, Arena::Ref ref) const {
  if (!NotesPuts()) [[likely]]
    return;
  const MemtableRecord* const r = record(ref);
  if (r->kind.load(std::memory_order_relaxed) == RecordKind::kPut) in->set_newest_put(r->seq);
}

void Memtable::GrowRoot() {
  const Arena::Ref old_root = root_.load(std::memory_order_relaxed);
  const Arena::Ref ref = NewNode(node(old_root)->level() + 1);
  node(ref)->set_child(0, old_root);
  node(ref)->set_count(1);
  root_.store(ref, std::memory_order_release);
}

// With `append`, the new right node starts empty (a leaf, that `new_record` goes to next) or with
// one child, and the left one stays full: keys that come in order fill their leaves.
void Memtable::SplitChild(MemtableNode* parent, uint32_t index, bool append,
                          Arena::Ref new_record) {
  MemtableNode* const left = node(parent->child(index));
  const uint32_t count = left->count();
  uint32_t middle = count / 2;
  if (append) middle = left->is_leaf() ? count : count - 1;
  const Arena::Ref separator = middle < count ? left->record(middle) : new_record;
  const Arena::Ref right_ref = NewNode(left->level());
  MemtableNode* const right = node(right_ref);
  right->set_prefix(record(separator)->key(), append ? 0 : left->prefix_size());
  for (uint32_t i = middle; i < count; ++i) {
    right->set_head(i - middle, left->head(i));
    right->set_record(i - middle, left->record(i));
    if (!left->is_leaf()) right->set_child(i - middle, left->child(i));
  }
  right->set_count(count - middle);
  right->set_next(left->next());
  // Which of the two the newest put is in is not known; that it is the newest record does no harm.
  right->set_newest_put(record(new_record)->seq);
  left->set_newest_put(record(new_record)->seq);
  GrowPrefix(right);

  // Both are locked until both are right: a reader between them would miss the right half.
  left->BeginChange();
  InsertEntry(parent, index + 1, separator, right_ref);
  left->set_count(middle);
  if (left->is_leaf()) left->set_next(right_ref);
  GrowPrefix(left);
  left->EndChange();
  if (last_leaf_ == parent->child(index)) last_leaf_ = right_ref;
}

void Memtable::InsertEntry(MemtableNode* into, uint32_t index, Arena::Ref ref, Arena::Ref child) {
  const std::string_view key = record(ref)->key();
  const uint32_t count = into->count();
  into->BeginChange();
  if (count == FirstKey(*into)) {
    // The first key: a prefix as long as can be, which later keys cut.
    into->set_prefix(key, std::min(key.size(), MemtableNode::kMaxPrefixBytes));
  } else if (into->ComparePrefix(key, into->prefix_size()) != 0) {
    const std::string_view other = record(into->record(count - 1))->key();
    SetPrefix(into, std::min(CommonPrefix(key, other), into->prefix_size()));
  }
  for (uint32_t i = count; i > index; --i) {
    into->set_head(i, into->head(i - 1));
    into->set_record(i, into->record(i - 1));
    if (!into->is_leaf()) into->set_child(i, into->child(i - 1));
  }
  into->set_head(index, KeyWord(key, into->prefix_size()));
  into->set_record(index, ref);
  if (!into->is_leaf()) into->set_child(index, child);
  into->set_count(count + 1);
  into->EndChange();
}

size_t Memtable::SharedPrefix(const MemtableNode& in) const {
  const std::string_view first = record(in.record(FirstKey(in)))->key();
  const std::string_view last = record(in.record(in.count() - 1))->key();
  return std::min(CommonPrefix(first, last), MemtableNode::kMaxPrefixBytes);
}

// Halves of a node share more than the whole did. New heads cost a look at every record, so only a
// prefix that takes half of a head's bytes is worth it.
void Memtable::GrowPrefix(MemtableNode* in) const {
  constexpr size_t kWorthwhileBytes = 4;
  if (in->count() < FirstKey(*in) + 2) return;
  const size_t shared = SharedPrefix(*in);
  if (shared >= in->prefix_size() + kWorthwhileBytes) SetPrefix(in, shared);
}

void Memtable::SetPrefix(MemtableNode* in, size_t size) const {
  const uint32_t count = in->count();
  in->set_prefix(record(in->record(count - 1))->key(), size);
  for (uint32_t i = FirstKey(*in); i < count; ++i) {
    in->set_head(i, KeyWord(record(in->record(i))->key(), size));
  }
}

}  // namespace emdb
