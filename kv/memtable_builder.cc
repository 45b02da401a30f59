#include "kv/memtable_builder.h"

#include <algorithm>

namespace emdb {

void MemtableBuilder::Add(uint64_t seq, RecordKind kind, std::string_view key,
                          std::string_view value) {
  const Arena::Ref ref = table_->NewRecord(seq, kind, key, value);
  table_->Count(kind);
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

void MemtableBuilder::Finish() {
  for (Entry& entry : entries_) {
    entry.head = KeyWord(table_->record(entry.record)->key(), prefix_size_);
  }
  const auto key_of = [this](const Entry& entry) { return table_->record(entry.record)->key(); };
  std::sort(entries_.begin(), entries_.end(), [&key_of](const Entry& a, const Entry& b) {
    if (a.head != b.head) return a.head < b.head;
    const int order = key_of(a).compare(key_of(b));
    return order != 0 ? order < 0 : a.record < b.record;
  });
  for (size_t i = 0; i < entries_.size(); ++i) {
    const bool is_newest = i + 1 == entries_.size() || entries_[i].head != entries_[i + 1].head ||
                           key_of(entries_[i]) != key_of(entries_[i + 1]);
    if (is_newest) {
      table_->Link(key_of(entries_[i]), entries_[i].record);
    } else {
      table_->record(entries_[i + 1].record)->older = entries_[i].record;
    }
  }
  entries_.clear();
}

}  // namespace emdb
