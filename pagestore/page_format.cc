#include "pagestore/page_format.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/crc32c.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kPageCrcSize = 4;
constexpr size_t kPageReservedOffset = 28;

constexpr char kMagic[] = "emdbpage";
constexpr size_t kMagicSize = 8;
constexpr size_t kReservedOffset = 132;
constexpr size_t kHeaderCrcOffset = kStoreHeaderSize - 4;

// Features that a reader must know of to read the file at all. Slices: set while there are any.
constexpr uint64_t kSlicesFeature = 1;
constexpr uint64_t kKnownIncompatibleFeatures = kSlicesFeature;

absl::Status CheckFields(const StoreHeader& header) {
  if (!IsValidPageSize(header.page_size)) {
    return absl::DataLossError(absl::StrCat("page size ", header.page_size, " in the header"));
  }
  const bool root_matches_height = header.root.exists() == (header.height > 0);
  if (!root_matches_height || header.height > kMaxHeight || header.map_level > 3 ||
      header.file_pages < kHeaderSlots || header.used_pages > header.file_pages ||
      header.slice_pages > header.used_pages || (header.slice_pages > 0 && header.height < 2) ||
      (header.slice_pages > 0) != (header.slice_records > 0)) {
    return absl::DataLossError("header fields that contradict each other");
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view PageKindName(PageKind kind) {
  switch (kind) {
    case PageKind::kLeaf:
      return "leaf";
    case PageKind::kInner:
      return "inner";
    case PageKind::kBitmap:
      return "bitmap";
    case PageKind::kMapIndex:
      return "map index";
    case PageKind::kBuffered:
      return "inner with slices";
    case PageKind::kSliceRoot:
      return "slice root";
    case PageKind::kSliceLeaf:
      return "slice leaf";
  }
  return "unknown";
}

PageHeader DecodePageHeader(const char* page) {
  PageHeader header;
  header.id = PageIdField(page);
  header.kind = PageKindField(page);
  header.level = PageLevelField(page);
  header.count = PageCountField(page);
  header.prefix_size = PagePrefixSizeField(page);
  header.data_end = PageDataEndField(page);
  header.generation = Load64(page + 16);
  header.position = PagePositionField(page);
  return header;
}

bool PageReservedBytesAreZero(const char* page) { return Load32(page + kPageReservedOffset) == 0; }

void EncodePageHeader(const PageHeader& header, char* page) {
  Store32(page + 4, header.id);
  page[8] = static_cast<char>(header.kind);
  page[9] = static_cast<char>(header.level);
  Store16(page + 10, header.count);
  Store16(page + 12, header.prefix_size);
  Store16(page + 14, header.data_end);
  Store64(page + 16, header.generation);
  Store32(page + 24, header.position);
  Store32(page + kPageReservedOffset, 0);
}

uint32_t CrcSeed(const StoreId& store_id) {
  return Crc32c(std::string_view(reinterpret_cast<const char*>(store_id.data()), store_id.size()));
}

uint32_t ComputePageCrc(uint32_t crc_seed, const char* page, size_t page_size) {
  return ExtendCrc32c(crc_seed, std::string_view(page + kPageCrcSize, page_size - kPageCrcSize));
}

PageRef SealPage(uint32_t crc_seed, char* page, size_t page_size) {
  const uint32_t crc = ComputePageCrc(crc_seed, page, page_size);
  Store32(page, crc);
  return {PageIdField(page), crc};
}

ExtentRef DecodeExtentRef(const char* p) { return {Load32(p), Load32(p + 4), Load32(p + 8)}; }

void EncodeExtentRef(const ExtentRef& ref, char* p) {
  Store32(p, ref.first);
  Store32(p + 4, ref.crc);
  Store32(p + 8, ref.size);
}

void EncodeStoreHeader(const StoreHeader& header, char* sector) {
  std::memset(sector, 0, kStoreHeaderSize);
  std::memcpy(sector, kMagic, kMagicSize);
  Store32(sector + 8, kFormatVersion);
  Store32(sector + 12, header.page_size);
  // Offset 24: compatible feature bits, none so far.
  Store64(sector + 16, header.slice_pages > 0 ? kSlicesFeature : 0);
  std::memcpy(sector + 32, header.store_id.data(), header.store_id.size());
  Store64(sector + 48, header.generation);
  Store64(sector + 56, header.next_seq);
  Store64(sector + 64, header.records);
  Store64(sector + 72, header.key_bytes);
  Store64(sector + 80, header.value_bytes);
  Store32(sector + 88, header.file_pages);
  Store32(sector + 92, header.used_pages);
  StorePageRef(sector + 96, header.root);
  Store32(sector + 104, header.height);
  StorePageRef(sector + 108, header.map_root);
  Store32(sector + 116, header.map_level);
  Store32(sector + 120, header.slice_pages);
  Store64(sector + 124, header.slice_records);
  Store32(sector + kHeaderCrcOffset, Crc32c(std::string_view(sector, kHeaderCrcOffset)));
}

bool BeginsStoreHeader(std::string_view bytes) {
  return bytes.substr(0, kMagicSize) ==
         std::string_view(kMagic, kMagicSize).substr(0, bytes.size());
}

absl::Status DecodeStoreHeader(const char* sector, StoreHeader* header) {
  if (IsZero(std::string_view(sector, kStoreHeaderSize))) return absl::NotFoundError("");
  if (std::memcmp(sector, kMagic, kMagicSize) != 0) {
    return absl::InvalidArgumentError("it does not begin with \"emdbpage\"");
  }
  // The version stands in front of the checksum test: what it covers may change with it.
  if (const uint32_t version = Load32(sector + 8); version != kFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("page store format version ", version, ", expected ", kFormatVersion));
  }
  const uint32_t crc = Crc32c(std::string_view(sector, kHeaderCrcOffset));
  if (const uint32_t found = Load32(sector + kHeaderCrcOffset); found != crc) {
    return absl::DataLossError(absl::StrCat("header checksum ", found, ", expected ", crc));
  }
  if (const uint64_t bits = Load64(sector + 16); (bits & ~kKnownIncompatibleFeatures) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("incompatible feature bits 0x",
                                                      absl::Hex(bits), ", known are 0x",
                                                      absl::Hex(kKnownIncompatibleFeatures)));
  }
  if (!IsZero(std::string_view(sector + kReservedOffset, kHeaderCrcOffset - kReservedOffset))) {
    return absl::DataLossError("reserved header bytes that are not 0");
  }
  header->page_size = Load32(sector + 12);
  std::memcpy(header->store_id.data(), sector + 32, header->store_id.size());
  header->generation = Load64(sector + 48);
  header->next_seq = Load64(sector + 56);
  header->records = Load64(sector + 64);
  header->key_bytes = Load64(sector + 72);
  header->value_bytes = Load64(sector + 80);
  header->file_pages = Load32(sector + 88);
  header->used_pages = Load32(sector + 92);
  header->root = LoadPageRef(sector + 96);
  header->height = Load32(sector + 104);
  header->map_root = LoadPageRef(sector + 108);
  header->map_level = Load32(sector + 116);
  header->slice_pages = Load32(sector + 120);
  header->slice_records = Load64(sector + 124);
  if ((Load64(sector + 16) == kSlicesFeature) != (header->slice_pages > 0)) {
    return absl::DataLossError("the feature bit of slices, which does not fit their number");
  }
  return CheckFields(*header);
}

bool IsZero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace emdb
