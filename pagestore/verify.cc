#include "pagestore/verify.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pagestore/free_map.h"
#include "pagestore/header_slots.h"
#include "pagestore/node.h"
#include "pagestore/page_bitmap.h"
#include "pagestore/read_ahead.h"
#include "pagestore/slice.h"
#include "pagestore/slice_filter.h"
#include "storage/zeroed_array.h"
#include "storage/aligned_buffer.h"
#include "storage/crc32c.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr uint64_t kProgressInterval = 256;

struct Bounds {
  std::string_view lower;
  std::optional<std::string_view> upper;

  bool Contain(std::string_view key) const { return key >= lower && (!upper || key < *upper); }
};

class Verifier {
 public:
  Verifier(const PageFile& file, const StoreHeader& header, const VerifyProgress& progress)
      : file_(file),
        header_(header),
        progress_(progress),
        reached_words_((uint64_t{header.file_pages} + 63) / 64),
        reached_(reached_words_),
        read_ahead_(&file, static_cast<uint32_t>(kPieceBytes / file.page_size())),
        piece_(kPieceBytes) {}

  absl::Status Run();

 private:
  // Notes that something reaches the pages, which nothing may have done before.
  absl::Status Reach(PageRun run);
  absl::Status CheckHeader(const char* page);
  absl::Status VisitNode(PageRef ref, uint32_t level, const Bounds& bounds);
  absl::Status VisitInner(const char* page, uint32_t level, const Bounds& bounds);
  absl::Status VisitSlice(const SliceRef& slice, const Bounds& bounds);
  absl::Status VisitSliceLeaf(const char* page, std::string_view filter);
  absl::Status VisitLeaf(const char* page, const Bounds& bounds);
  absl::Status CheckKeys(const char* page, PageKind kind, const Bounds& bounds) const;
  absl::Status VisitValue(const ExtentRef& extent);
  absl::Status VisitMap();
  absl::Status CompareBitmap(const MapEntry& entry, uint32_t position);
  absl::Status CompareCounts() const;

  const PageFile& file_;
  const StoreHeader& header_;
  const VerifyProgress& progress_;
  // A bit for each page of the file, which may have more of them than a PageBitmap can count.
  const uint64_t reached_words_;
  const ZeroedArray<uint64_t> reached_;
  uint64_t reached_count_ = 0;
  uint64_t records_ = 0;
  uint64_t key_bytes_ = 0;
  uint64_t value_bytes_ = 0;
  uint64_t slice_pages_ = 0;
  uint64_t slice_records_ = 0;
  ReadAhead read_ahead_;
  AlignedBuffer piece_;
};

absl::Status Verifier::Reach(PageRun run) {
  if (run.end() > header_.file_pages) {
    return file_.Corruption(run.first, "a reference to a page behind the end of the file");
  }
  for (uint64_t id = run.first; id < run.end(); ++id) {
    uint64_t& word = reached_[id / 64];
    const uint64_t bit = uint64_t{1} << (id % 64);
    if ((word & bit) != 0) {
      return file_.Corruption(static_cast<PageId>(id), "a page that is referred to twice");
    }
    word |= bit;
    if (++reached_count_ % kProgressInterval == 0 && progress_) {
      progress_(reached_count_, header_.used_pages);
    }
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckHeader(const char* page) {
  const PageHeader header = DecodePageHeader(page);
  if (header.generation > header_.generation) {
    return file_.Corruption(header.id, "a page of a later generation than the header's");
  }
  const bool has_tail = header.kind == PageKind::kBuffered || header.kind == PageKind::kSliceRoot;
  if ((header.position != 0 && !has_tail) ||
      !IsZero({page + header.data_end, file_.page_size() - header.data_end})) {
    return file_.Corruption(header.id, "bytes of a node that must be 0");
  }
  return absl::OkStatus();
}

absl::Status Verifier::VisitNode(PageRef ref, uint32_t level, const Bounds& bounds) {
  EMDB_RETURN_IF_ERROR(Reach({ref.id, 1}));
  AlignedBuffer page(file_.page_size());
  EMDB_RETURN_IF_ERROR(file_.ReadNode(ref, level, page.data()));
  EMDB_RETURN_IF_ERROR(CheckHeader(page.data()));
  return level == 0 ? VisitLeaf(page.data(), bounds) : VisitInner(page.data(), level, bounds);
}

absl::Status Verifier::VisitInner(const char* page, uint32_t level, const Bounds& bounds) {
  if (PageKindField(page) == PageKind::kSliceRoot) {
    return file_.Corruption(PageIdField(page), "the root of a slice as a node of the tree");
  }
  const SliceList slices(page);
  for (uint32_t i = 0; i < slices.size(); ++i) {
    EMDB_RETURN_IF_ERROR(VisitSlice(slices.at(i), bounds));
  }
  const InnerView node(page);
  std::vector<PageRef> children;
  for (uint32_t i = 0; i < node.child_count(); ++i) children.push_back(node.child(i));
  std::string lower(bounds.lower);
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    Bounds child = {lower, bounds.upper};
    std::string upper;
    if (i < node.separator_count()) {
      upper = node.separator(i);
      if (upper <= lower || !bounds.Contain(upper)) {
        return file_.Corruption(PageIdField(page), "separators out of order or out of bounds");
      }
      child.upper = upper;
    }
    if (level > 1) {
      EMDB_RETURN_IF_ERROR(VisitNode(children[i], level - 1, child));
    } else {
      EMDB_RETURN_IF_ERROR(Reach({children[i].id, 1}));
      EMDB_ASSIGN_OR_RETURN(const char* leaf,
                            read_ahead_.Read(absl::MakeConstSpan(children).subspan(i), 0));
      EMDB_RETURN_IF_ERROR(CheckHeader(leaf));
      EMDB_RETURN_IF_ERROR(VisitLeaf(leaf, child));
    }
    lower.swap(upper);
  }
  return absl::OkStatus();
}

absl::Status Verifier::VisitSlice(const SliceRef& slice, const Bounds& bounds) {
  EMDB_RETURN_IF_ERROR(Reach({slice.root.id, 1}));
  AlignedBuffer page(file_.page_size());
  EMDB_RETURN_IF_ERROR(file_.ReadNode(slice.root, kSliceHeight - 1, page.data()));
  EMDB_RETURN_IF_ERROR(CheckHeader(page.data()));
  const InnerView root(page.data());
  if (PageKindField(page.data()) != PageKind::kSliceRoot || root.child_count() + 1 != slice.pages) {
    return file_.Corruption(slice.root.id, "not the slice that its node refers to");
  }
  const uint64_t records_before = slice_records_;
  std::string lower(bounds.lower);
  for (uint32_t i = 0; i < root.child_count(); ++i) {
    Bounds child = {lower, bounds.upper};
    const std::string upper = i < root.separator_count() ? root.separator(i) : "";
    if (i < root.separator_count()) child.upper = upper;
    EMDB_RETURN_IF_ERROR(Reach({root.child(i).id, 1}));
    const PageRef ref = root.child(i);
    EMDB_ASSIGN_OR_RETURN(const char* leaf, read_ahead_.Read({&ref, 1}, 0));
    EMDB_RETURN_IF_ERROR(CheckHeader(leaf));
    EMDB_RETURN_IF_ERROR(CheckKeys(leaf, PageKind::kSliceLeaf, child));
    EMDB_RETURN_IF_ERROR(VisitSliceLeaf(leaf, SliceFilter(page.data())));
    lower = upper;
  }
  slice_pages_ += slice.pages;
  if (slice_records_ - records_before == slice.records) return absl::OkStatus();
  return file_.Corruption(slice.root.id,
                          "a slice with another number of records than its node says");
}

absl::Status Verifier::VisitSliceLeaf(const char* page, std::string_view filter) {
  const LeafView leaf(page);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    ++slice_records_;
    if (!FilterMayContain(FilterHash(leaf.key(i)), filter)) {
      return file_.Corruption(PageIdField(page), "a key that the filter of its slice denies");
    }
    const LeafView::Cell cell = leaf.cell(i);
    if (cell.kind != CellKind::kExtent) continue;
    EMDB_RETURN_IF_ERROR(VisitValue(DecodeExtentRef(cell.payload.data())));
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckKeys(const char* page, PageKind kind, const Bounds& bounds) const {
  if (PageKindField(page) != kind) {
    return file_.Corruption(PageIdField(page), "a node of another kind than its parent says");
  }
  // CheckNode has seen that the keys between the first and the last are in order.
  const LeafView leaf(page);
  if (bounds.Contain(leaf.key(0)) && bounds.Contain(leaf.key(leaf.count() - 1))) {
    return absl::OkStatus();
  }
  return file_.Corruption(PageIdField(page), "keys outside of the parent's separators");
}

absl::Status Verifier::VisitLeaf(const char* page, const Bounds& bounds) {
  const LeafView leaf(page);
  EMDB_RETURN_IF_ERROR(CheckKeys(page, PageKind::kLeaf, bounds));
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const LeafView::Cell cell = leaf.cell(i);
    ++records_;
    key_bytes_ += leaf.prefix().size() + cell.suffix.size();
    if (cell.kind == CellKind::kInline) {
      value_bytes_ += cell.payload.size();
      continue;
    }
    const ExtentRef extent = DecodeExtentRef(cell.payload.data());
    value_bytes_ += extent.size;
    EMDB_RETURN_IF_ERROR(VisitValue(extent));
  }
  return absl::OkStatus();
}

absl::Status Verifier::VisitValue(const ExtentRef& extent) {
  const PageRun run = {extent.first, extent.pages(file_.page_size())};
  EMDB_RETURN_IF_ERROR(Reach(run));
  const uint32_t piece_pages = static_cast<uint32_t>(kPieceBytes / file_.page_size());
  uint32_t crc = file_.crc_seed();
  size_t left = extent.size;
  for (uint32_t at = 0; at < run.count; at += piece_pages) {
    const uint32_t pages = std::min(piece_pages, run.count - at);
    EMDB_RETURN_IF_ERROR(file_.ReadRun({run.first + at, pages}, piece_.data()));
    const size_t bytes = size_t{pages} * file_.page_size();
    const size_t of_value = std::min(bytes, left);
    crc = ExtendCrc32c(crc, {piece_.data(), of_value});
    left -= of_value;
    if (!IsZero({piece_.data() + of_value, bytes - of_value})) {
      return file_.Corruption(run.first, "bytes behind a large value that must be 0");
    }
  }
  if (crc == extent.crc) return absl::OkStatus();
  return file_.Corruption(run.first, "a large value that does not match its checksum");
}

absl::Status Verifier::VisitMap() {
  EMDB_ASSIGN_OR_RETURN(const FreeMap map, ReadFreeMap(file_, header_));
  for (size_t level = 0; level < map.levels.size(); ++level) {
    uint64_t used = 0;
    for (const MapEntry& entry : map.levels[level]) {
      if (entry.ref.exists()) EMDB_RETURN_IF_ERROR(Reach({entry.ref.id, 1}));
      used += entry.used;
    }
    if (used != header_.used_pages) {
      return file_.Corruption(map.levels.back()[0].ref.id,
                              "the map's counts do not add up to the header's");
    }
  }
  for (uint32_t i = 0; i < map.levels[0].size(); ++i) {
    EMDB_RETURN_IF_ERROR(CompareBitmap(map.levels[0][i], i));
  }
  return absl::OkStatus();
}

absl::Status Verifier::CompareBitmap(const MapEntry& entry, uint32_t position) {
  EMDB_ASSIGN_OR_RETURN(const PageBitmap used, ReadBitmap(file_, entry, position));
  const uint64_t begin = uint64_t{position} * used.size();
  for (uint32_t i = 0; i < used.word_count(); ++i) {
    const uint64_t word = begin / 64 + i;
    const uint64_t reached = word < reached_words_ ? reached_[word] : 0;
    const uint64_t differs = used.word(i) ^ reached;
    if (differs == 0) continue;
    const uint64_t id = word * 64 + static_cast<uint64_t>(std::countr_zero(differs));
    return file_.Corruption(static_cast<PageId>(id),
                            (reached >> (id % 64) & 1) != 0
                                ? "a page in use that the map calls free"
                                : "a page that the map calls used and nothing refers to");
  }
  return absl::OkStatus();
}

absl::Status Verifier::CompareCounts() const {
  if (slice_pages_ != header_.slice_pages || slice_records_ != header_.slice_records) {
    return file_.Corruption(
        HeaderSlot(header_.generation),
        FromAbsl(absl::StrCat("the header counts ", header_.slice_records, " records in ",
                              header_.slice_pages, " pages of slices, found ", slice_records_,
                              " in ", slice_pages_)));
  }
  if (records_ == header_.records && key_bytes_ == header_.key_bytes &&
      value_bytes_ == header_.value_bytes) {
    return absl::OkStatus();
  }
  return file_.Corruption(
      HeaderSlot(header_.generation),
      FromAbsl(absl::StrCat("the header counts ", header_.records, " records of ",
                            header_.key_bytes, " + ", header_.value_bytes, " bytes, found ",
                            records_, " of ", key_bytes_, " + ", value_bytes_)));
}

absl::Status Verifier::Run() {
  EMDB_RETURN_IF_ERROR(VerifyHeaderSlots(file_, header_));
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, file_.Size());
  if (size < file_.OffsetOf(header_.file_pages)) {
    return file_.Corruption(header_.file_pages, "the file has been cut short");
  }
  EMDB_RETURN_IF_ERROR(Reach({0, kHeaderSlots}));
  if (header_.height > 0) {
    EMDB_RETURN_IF_ERROR(VisitNode(header_.root, header_.height - 1, {{}, std::nullopt}));
  }
  EMDB_RETURN_IF_ERROR(CompareCounts());
  EMDB_RETURN_IF_ERROR(VisitMap());
  if (progress_) progress_(reached_count_, header_.used_pages);
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifyStore(const PageFile& file, const StoreHeader& header,
                         const VerifyProgress& progress) {
  return Verifier(file, header, progress).Run();
}

}  // namespace emdb
