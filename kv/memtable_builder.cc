#include "kv/memtable_builder.h"

#include <algorithm>
#include <array>

namespace emdb {
namespace {

constexpr size_t kPrefetchDistance = 12;

}  // namespace

void MemtableBuilder::Add(uint64_t seq, RecordKind kind, std::string_view key,
                          std::string_view value) {
  const Arena::Ref ref = table_->NewRecord(seq, kind, key, value);
  table_->CountRecord(seq);
  if (entries_.empty()) {
    first_key_ = table_->record(ref)->key();
    prefix_size_ = first_key_.size();
  }
  prefix_size_ = std::min(prefix_size_, key.size());
  prefix_size_ = static_cast<size_t>(
      std::mismatch(key.begin(), key.begin() + prefix_size_, first_key_.begin()).first -
      key.begin());
  entries_.push_back({0, ref});
}

std::string_view MemtableBuilder::KeyOf(const Entry& entry) const {
  return table_->record(entry.record)->key();
}

void MemtableBuilder::Finish() {
  for (Entry& entry : entries_) entry.head = KeyWord(KeyOf(entry), prefix_size_);
  SortByHead();
  SortTies();
  for (size_t i = 0; i < entries_.size(); ++i) {
    // Records lie in the order they came: fetch those that are next by key.
    if (i + kPrefetchDistance < entries_.size()) {
      __builtin_prefetch(table_->record(entries_[i + kPrefetchDistance].record));
    }
    const bool is_newest = i + 1 == entries_.size() || entries_[i].head != entries_[i + 1].head ||
                           KeyOf(entries_[i]) != KeyOf(entries_[i + 1]);
    if (is_newest) {
      table_->Link(KeyOf(entries_[i]), entries_[i].record);
    } else {
      table_->record(entries_[i + 1].record)->older = entries_[i].record;
    }
  }
  entries_.clear();
}

// Radix sort, from the last byte that is not the same in all heads to the first.
void MemtableBuilder::SortByHead() {
  uint64_t varying = 0;
  for (const Entry& entry : entries_) varying |= entry.head ^ entries_[0].head;
  std::vector<Entry> sorted(entries_.size());
  for (int shift = 0; shift < 64; shift += 8) {
    if (((varying >> shift) & 0xff) == 0) continue;
    std::array<size_t, 257> starts{};
    for (const Entry& entry : entries_) starts[((entry.head >> shift) & 0xff) + 1]++;
    for (size_t digit = 1; digit < starts.size(); ++digit) starts[digit] += starts[digit - 1];
    for (const Entry& entry : entries_) sorted[starts[(entry.head >> shift) & 0xff]++] = entry;
    entries_.swap(sorted);
  }
}

void MemtableBuilder::SortTies() {
  const auto by_key = [this](const Entry& a, const Entry& b) { return KeyOf(a) < KeyOf(b); };
  for (auto begin = entries_.begin(); begin != entries_.end();) {
    auto end = begin + 1;
    while (end != entries_.end() && end->head == begin->head) ++end;
    if (end - begin > 1) std::stable_sort(begin, end, by_key);
    begin = end;
  }
}

}  // namespace emdb
