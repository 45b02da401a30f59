#include "pagestore/slice_builder.h"

#include <utility>

#include "pagestore/slice_filter.h"
#include "storage/status.h"

namespace emdb {

SliceBuilder::SliceBuilder(const Target& target)
    : target_(target), page_size_(target.file->page_size()), leaf_(0), root_(1) {}

uint64_t SliceBuilder::MostSlices(uint32_t page_size, uint64_t records, uint64_t bytes) {
  // Any two records fit on a page, so two leaves side by side are more than a page; a root is
  // followed by another only when it is more than half full.
  constexpr uint64_t kCellOverhead = 16;
  const uint64_t leaves = 2 * (bytes + kCellOverhead * records) / page_size + 1;
  const uint64_t root_bytes =
      leaves * (kMaxKeySize + 16) + FilterSize(records) + kFilterBlockSize * leaves;
  return root_bytes / (page_size / 2) + 1;
}

absl::Status SliceBuilder::Add(const NodeItems::Entry& record) {
  if (!leaf_.empty() && leaf_.NodeSizeWith(record) > NodeCapacity(page_size_)) {
    EMDB_RETURN_IF_ERROR(WriteLeaf());
  }
  leaf_.Add(record);
  leaf_hashes_.push_back(FilterHash(leaf_.key(leaf_.size() - 1)));
  return absl::OkStatus();
}

absl::Status SliceBuilder::WriteLeaf() {
  char no_ref[kPageRefSize] = {};
  const std::string first_key(leaf_.key(0));
  std::string separator = first_key;
  if (!root_.empty()) {
    separator = ShortestSeparator(last_key_, first_key);
    const size_t size =
        root_.NodeSizeWith({separator, {}, CellKind::kInline, {no_ref, kPageRefSize}}) +
        FilterSize(root_hashes_.size() + leaf_hashes_.size());
    if (size > NodeCapacity(page_size_)) {
      EMDB_RETURN_IF_ERROR(WriteRoot());
      separator = first_key;
    }
  }
  EMDB_ASSIGN_OR_RETURN(const PageWriter::Slot slot, target_.writer->NextPage());
  leaf_.Build(0, leaf_.size(), {slot.first, target_.generation}, slot.data, page_size_);
  SetPageKind(PageKind::kSliceLeaf, slot.data);
  const PageRef ref = SealPage(target_.file->crc_seed(), slot.data, page_size_);
  target_.cache->Insert(ref.id, slot.data, /*evict=*/false);
  char payload[kPageRefSize];
  StorePageRef(payload, ref);
  root_.Add({separator, {}, CellKind::kInline, {payload, kPageRefSize}});
  root_hashes_.insert(root_hashes_.end(), leaf_hashes_.begin(), leaf_hashes_.end());
  last_key_.assign(leaf_.key(leaf_.size() - 1));
  leaf_.Clear();
  leaf_hashes_.clear();
  return absl::OkStatus();
}

absl::Status SliceBuilder::WriteRoot() {
  EMDB_ASSIGN_OR_RETURN(const PageWriter::Slot slot, target_.writer->NextPage());
  root_.Build(0, root_.size(), {slot.first, target_.generation}, slot.data, page_size_);
  AddSliceFilter(root_hashes_, slot.data);
  const PageRef ref = SealPage(target_.file->crc_seed(), slot.data, page_size_);
  target_.cache->Insert(ref.id, slot.data, /*evict=*/true);
  slices_.push_back(
      {ref, static_cast<uint32_t>(root_.size() + 1), static_cast<uint32_t>(root_hashes_.size())});
  root_.Clear();
  root_hashes_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SliceRef>> SliceBuilder::Finish() {
  if (!leaf_.empty()) EMDB_RETURN_IF_ERROR(WriteLeaf());
  if (!root_.empty()) EMDB_RETURN_IF_ERROR(WriteRoot());
  return std::move(slices_);
}

}  // namespace emdb
