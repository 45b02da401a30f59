#include "pagestore/describe.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "pagestore/free_map_format.h"
#include "pagestore/node.h"
#include "pagestore/slice.h"
#include "storage/aligned_buffer.h"
#include "storage/status.h"
#include "storage/store_id.h"

namespace emdb {
namespace {

constexpr size_t kShownBytes = 64;  // of a page without structure

std::string ShownRef(PageRef ref) {
  if (!ref.exists()) return "none";
  return absl::StrCat(ref.id, " (checksum ", absl::Hex(ref.crc, absl::kZeroPad8), ")");
}

void DescribeStoreHeader(const StoreHeader& header, std::string* out) {
  absl::StrAppend(out, "  generation ", header.generation, ", next_seq ", header.next_seq,
                  ", store id ", StoreIdToString(header.store_id), "\n");
  absl::StrAppend(out, "  page size ", header.page_size, ", file pages ", header.file_pages,
                  ", used pages ", header.used_pages, "\n");
  absl::StrAppend(out, "  root ", ShownRef(header.root), ", height ", header.height, "\n");
  absl::StrAppend(out, "  records ", header.records, ", key bytes ", header.key_bytes,
                  ", value bytes ", header.value_bytes, "\n");
  absl::StrAppend(out, "  map of free space ", ShownRef(header.map_root), ", level ",
                  header.map_level, "\n");
  absl::StrAppend(out, "  slices: ", header.slice_records, " records in ", header.slice_pages,
                  " pages\n");
}

absl::StatusOr<std::string> DescribeSlot(const PageFile& file, PageId id, const char* page) {
  std::string out = absl::StrCat("page ", id, ": header slot\n");
  bool whole = true;
  for (const size_t offset : {size_t{0}, kHeaderCopyOffset}) {
    StoreHeader header;
    const absl::Status status = DecodeStoreHeader(page + offset, &header);
    absl::StrAppend(&out, "copy at offset ", offset, ":",
                    absl::IsNotFound(status) ? " never written" : "", "\n");
    if (status.ok()) {
      DescribeStoreHeader(header, &out);
    } else if (!absl::IsNotFound(status)) {
      absl::StrAppend(&out, "  ", status.message(), "\n");
      whole = false;
    }
  }
  if (whole) return out;
  return file.Corruption(id, FromAbsl(absl::StrCat("a damaged header copy\n", out)));
}

void DescribeLeaf(const char* page, std::string* out) {
  const LeafView leaf(page);
  absl::StrAppend(out, "prefix ", Shown(leaf.prefix()), "\n");
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const LeafView::Cell cell = leaf.cell(i);
    absl::StrAppend(out, i, ": ", Shown(cell.suffix), " = ");
    if (cell.kind == CellKind::kInline) {
      absl::StrAppend(out, Shown(cell.payload), "\n");
    } else if (cell.kind == CellKind::kTombstone) {
      absl::StrAppend(out, "deleted\n");
    } else {
      const ExtentRef extent = DecodeExtentRef(cell.payload.data());
      absl::StrAppend(out, extent.size, " bytes from page ", extent.first, " on (checksum ",
                      absl::Hex(extent.crc, absl::kZeroPad8), ")\n");
    }
  }
}

void DescribeInner(const char* page, std::string* out) {
  const InnerView node(page);
  absl::StrAppend(out, "prefix ", Shown(node.prefix()), "\n");
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    absl::StrAppend(out, i, ": ");
    if (i > 0) absl::StrAppend(out, "from ", Shown(node.tail(i - 1)), " ");
    absl::StrAppend(out, "page ", ShownRef(node.child(i)), "\n");
  }
  const SliceList slices(page);
  for (uint32_t i = 0; i < slices.size(); ++i) {
    const SliceRef slice = slices.at(i);
    absl::StrAppend(out, "slice: page ", ShownRef(slice.root), ", ", slice.pages, " pages, ",
                    slice.records, " records\n");
  }
}

void DescribeBitmap(const char* page, uint32_t page_size, std::string* out) {
  const uint64_t first = uint64_t{DecodePageHeader(page).position} * BitmapPages(page_size);
  uint64_t run_begin = 0;
  bool in_run = false;
  for (uint32_t bit = 0; bit <= BitmapPages(page_size); ++bit) {
    const bool used =
        bit < BitmapPages(page_size) && (LoadBitmapWord(page, bit / 64) >> (bit % 64) & 1) != 0;
    if (used && !in_run) run_begin = bit;
    if (!used && in_run) {
      absl::StrAppend(out, "used ", first + run_begin, " to ", first + bit - 1, "\n");
    }
    in_run = used;
  }
}

void DescribeMapIndex(const char* page, uint32_t page_size, std::string* out) {
  for (uint32_t i = 0; i < MapFanout(page_size); ++i) {
    const MapEntry entry = LoadMapEntry(page, i);
    if (!entry.ref.exists()) continue;
    absl::StrAppend(out, i, ": page ", ShownRef(entry.ref), ", ", entry.used, " used\n");
  }
}

std::string DescribeHeader(const PageHeader& header) {
  return absl::StrCat("page ", header.id, ": ", ToAbsl(PageKindName(header.kind)), ", level ",
                      header.level, ", generation ", header.generation, ", count ", header.count,
                      ", data end ", header.data_end, ", position ", header.position, "\n");
}

bool LooksLikeAPage(const PageHeader& header, PageId id) {
  return header.id == id && PageKindName(header.kind) != "unknown";
}

}  // namespace

absl::StatusOr<std::string> DescribePage(const PageFile& file, PageId id) {
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (file.OffsetOf(id) + file.page_size() > size) {
    return absl::OutOfRangeError(
        absl::StrCat(file.path(), " has ", size / file.page_size(), " pages, no page ", id));
  }
  AlignedBuffer buffer(file.page_size());
  const char* page = buffer.data();
  EMDB_RETURN_IF_ERROR(file.ReadRun({id, 1}, buffer.data()));
  if (id < kHeaderSlots) return DescribeSlot(file, id, page);
  const PageHeader header = DecodePageHeader(page);
  const bool whole = ComputePageCrc(file.crc_seed(), page, file.page_size()) == PageCrcField(page);
  if (!whole && !LooksLikeAPage(header, id)) {
    return absl::StrCat("page ", id, ": of a large value, or free\n", Shown({page, kShownBytes}),
                        "\n");
  }
  std::string out = DescribeHeader(header);
  if (!whole) {
    return file.Corruption(id, FromAbsl(absl::StrCat("wrong checksum, or a page that is now part "
                                                     "of a large value\n",
                                                     out)));
  }
  switch (header.kind) {
    case PageKind::kLeaf:
    case PageKind::kInner:
    case PageKind::kBuffered:
    case PageKind::kSliceRoot:
    case PageKind::kSliceLeaf:
      if (absl::Status s = CheckNode(page, file.page_size(), header.level); !s.ok()) {
        return file.Corruption(id, FromAbsl(absl::StrCat(s.message(), "\n", out)));
      }
      header.level == 0 ? DescribeLeaf(page, &out) : DescribeInner(page, &out);
      break;
    case PageKind::kBitmap:
      DescribeBitmap(page, file.page_size(), &out);
      break;
    case PageKind::kMapIndex:
      DescribeMapIndex(page, file.page_size(), &out);
      break;
  }
  return out;
}

}  // namespace emdb
