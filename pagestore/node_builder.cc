#include "pagestore/node_builder.h"

#include <algorithm>
#include <cstring>

#include "pagestore/head_search.h"
#include "storage/check.h"
#include "storage/coding.h"

namespace emdb {
namespace {

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + limit, b.begin()).first -
                             a.begin());
}

size_t CommonPrefix(std::string_view a, const NodeItems::Entry& entry) {
  const size_t common = CommonPrefix(a, entry.key_prefix);
  if (common < entry.key_prefix.size()) return common;
  return common + CommonPrefix(a.substr(common), entry.key_rest);
}

}  // namespace

std::string_view ShortestSeparator(std::string_view low, std::string_view high) {
  return high.substr(0, CommonPrefix(low, high) + 1);
}

size_t NodeItems::EntryBytes(size_t key_size, size_t payload_size) const {
  if (level_ > 0) return 4 + kPageRefSize + 2 + key_size;
  return 4 + 2 + VarintLength(key_size) + VarintLength(payload_size << 2) + key_size + payload_size;
}

void NodeItems::Add(const Entry& entry) {
  Item item;
  item.key_at = static_cast<uint32_t>(bytes_.size());
  item.key_size = static_cast<uint16_t>(entry.key_prefix.size() + entry.key_rest.size());
  item.payload_size = static_cast<uint32_t>(entry.payload.size());
  item.bytes_before = total_bytes_;
  item.kind = entry.kind;
  bytes_.append(entry.key_prefix).append(entry.key_rest).append(entry.payload);
  items_.push_back(item);
  total_bytes_ += EntryBytes(item.key_size, item.payload_size);
}

void NodeItems::Append(const NodeItems& other) {
  for (size_t i = 0; i < other.size(); ++i) {
    Add({other.key(i), {}, other.items_[i].kind, other.payload(i)});
  }
}

void NodeItems::Clear() {
  items_.clear();
  bytes_.clear();
  total_bytes_ = 0;
}

std::string_view NodeItems::key(size_t index) const {
  const Item& item = items_[index];
  return std::string_view(bytes_).substr(item.key_at, item.key_size);
}

std::string_view NodeItems::payload(size_t index) const {
  const Item& item = items_[index];
  return std::string_view(bytes_).substr(item.key_at + item.key_size, item.payload_size);
}

size_t NodeItems::SizeOf(size_t stored, size_t entry_bytes, size_t prefix_size) const {
  // Of an inner page: padding in front of the heads, the first child, the end of the last tail.
  const size_t fixed = kPageHeaderSize + (level_ == 0 ? 0 : 3 + kPageRefSize + 2);
  const size_t saved = stored == 0 ? 0 : (stored - 1) * prefix_size;
  return fixed + entry_bytes - saved;
}

size_t NodeItems::NodeSize(size_t begin, size_t end) const {
  const size_t first = FirstStored(begin);
  if (first >= end) return SizeOf(0, 0, 0);
  const uint64_t upto = end < size() ? items_[end].bytes_before : total_bytes_;
  return SizeOf(end - first, upto - items_[first].bytes_before,
                CommonPrefix(key(first), key(end - 1)));
}

size_t NodeItems::NodeSizeWith(const Entry& entry) const {
  const size_t first = FirstStored(0);
  const size_t key_size = entry.key_prefix.size() + entry.key_rest.size();
  const size_t bytes = EntryBytes(key_size, entry.payload.size());
  if (first > size()) return SizeOf(0, 0, 0);  // the first child: its separator is not stored
  if (first == size()) return SizeOf(1, bytes, key_size);
  return SizeOf(size() - first + 1, total_bytes_ - items_[first].bytes_before + bytes,
                CommonPrefix(key(first), entry));
}

void NodeItems::Build(size_t begin, size_t end, const Identity& identity, char* page,
                      uint32_t page_size) const {
  EMDB_CHECK(begin < end && NodeSize(begin, end) <= NodeCapacity(page_size));
  PageHeader header;
  header.id = identity.id;
  header.generation = identity.generation;
  header.level = level_;
  header.kind = level_ == 0 ? PageKind::kLeaf : PageKind::kInner;
  const size_t first = FirstStored(begin);
  header.count = static_cast<uint16_t>(end - first);
  if (first < end) {
    header.prefix_size = static_cast<uint16_t>(CommonPrefix(key(first), key(end - 1)));
  }
  if (level_ == 0) {
    BuildLeaf(begin, end, &header, page);
  } else {
    BuildInner(begin, end, &header, page);
  }
  EncodePageHeader(header, page);
  std::memset(page + header.data_end, 0, page_size - header.data_end);
}

void NodeItems::BuildLeaf(size_t begin, size_t end, PageHeader* header, char* page) const {
  char* head = page + kPageHeaderSize;
  char* offset = head + size_t{4} * header->count;
  char* out = offset + size_t{2} * header->count;
  std::memcpy(out, key(begin).data(), header->prefix_size);
  out += header->prefix_size;
  for (size_t i = begin; i < end; ++i, head += 4, offset += 2) {
    const std::string_view suffix = key(i).substr(header->prefix_size);
    const std::string_view value = payload(i);
    Store32(head, HeadOf(suffix));
    Store16(offset, static_cast<uint16_t>(out - page));
    out = PutVarint64(out, suffix.size());
    out = PutVarint64(out, value.size() << 2 | static_cast<uint64_t>(items_[i].kind));
    std::memcpy(out, suffix.data(), suffix.size());
    out += suffix.size();
    std::memcpy(out, value.data(), value.size());
    out += value.size();
  }
  header->data_end = static_cast<uint16_t>(out - page);
}

void NodeItems::BuildInner(size_t begin, size_t end, PageHeader* header, char* page) const {
  const size_t prefix_end = kPageHeaderSize + header->prefix_size;
  char* head = page + ((prefix_end + 3) & ~size_t{3});
  char* child = head + size_t{4} * header->count;
  char* offset = child + kPageRefSize * (header->count + size_t{1});
  char* out = offset + size_t{2} * (header->count + size_t{1});
  if (header->count > 0) {
    std::memcpy(page + kPageHeaderSize, key(begin + 1).data(), header->prefix_size);
  }
  std::memset(page + prefix_end, 0, static_cast<size_t>(head - (page + prefix_end)));
  for (size_t i = begin; i < end; ++i, child += kPageRefSize) {
    std::memcpy(child, payload(i).data(), kPageRefSize);
    if (i == begin) continue;
    const std::string_view tail = key(i).substr(header->prefix_size);
    Store32(head, HeadOf(tail));
    Store16(offset, static_cast<uint16_t>(out - page));
    std::memcpy(out, tail.data(), tail.size());
    out += tail.size();
    head += 4;
    offset += 2;
  }
  Store16(offset, static_cast<uint16_t>(out - page));
  header->data_end = static_cast<uint16_t>(out - page);
}

}  // namespace emdb
