#include "pagestore/header_slots.h"

#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/aligned_buffer.h"
#include "storage/env.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr std::array<size_t, 2> kCopyOffsets = {0, kHeaderCopyOffset};
// Both copies and nothing else; a multiple of the alignment that direct reads need.
constexpr size_t kSlotBytes = kHeaderCopyOffset + kDirectAlignment;
static_assert(kSlotBytes <= kMinPageSize);

struct Slot {
  absl::Status status;  // of the copy that says most, if no copy is whole
  std::optional<StoreHeader> newest;
};

// An unwritten or foreign copy says less than a damaged one, that less than one of another version.
int Weight(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 0;
    case absl::StatusCode::kInvalidArgument:
      return 1;
    case absl::StatusCode::kDataLoss:
      return 2;
    default:
      return 3;
  }
}

Slot DecodeSlot(PageId id, const char* bytes) {
  Slot slot;
  slot.status = absl::NotFoundError("");
  for (const size_t offset : kCopyOffsets) {
    StoreHeader header;
    absl::Status status = DecodeStoreHeader(bytes + offset, &header);
    if (status.ok() && HeaderSlot(header.generation) != id) {
      status = absl::DataLossError("it is the other slot's");
    }
    if (!status.ok()) {
      if (Weight(status) > Weight(slot.status)) slot.status = status;
    } else if (!slot.newest || header.generation > slot.newest->generation) {
      slot.newest = header;
    }
  }
  return slot;
}

absl::Status SlotError(const File& file, uint64_t offset, const absl::Status& status) {
  if (absl::IsFailedPrecondition(status)) return Annotate(status, file.path());
  const absl::string_view what =
      absl::IsNotFound(status) ? "all bytes of the header are 0" : status.message();
  return CorruptionError(file.path(), offset,
                         FromAbsl(absl::StrCat("no copy of the store header is whole: ", what)),
                         "it may have held the newest state: restore the store from a backup");
}

// The file ends within its first header, of which it has the beginning.
absl::StatusOr<bool> HeaderIsCut(const File& file, uint64_t size) {
  if (size == 0 || size >= kStoreHeaderSize) return false;
  AlignedBuffer buffer(kSlotBytes);
  EMDB_ASSIGN_OR_RETURN(const size_t read, file.ReadAt(0, kSlotBytes, buffer.data()));
  return BeginsStoreHeader({buffer.data(), read});
}

absl::StatusOr<bool> FileIsZero(const File& file, uint64_t size) {
  AlignedBuffer buffer(kMaxPageSize);
  for (uint64_t offset = 0; offset < size; offset += buffer.size()) {
    EMDB_ASSIGN_OR_RETURN(const size_t read, file.ReadAt(offset, buffer.size(), buffer.data()));
    if (!IsZero(std::string_view(buffer.data(), read))) return false;
  }
  return true;
}

// The first slot has no whole copy: says what kind of file this is.
absl::Status ClassifyForeignFile(const File& file, uint64_t size, const absl::Status& status) {
  if (absl::IsNotFound(status) && size <= uint64_t{kHeaderSlots} * kMaxPageSize) {
    EMDB_ASSIGN_OR_RETURN(const bool zero, FileIsZero(file, size));
    if (zero) return absl::NotFoundError("");
  }
  EMDB_ASSIGN_OR_RETURN(const bool is_cut, HeaderIsCut(file, size));
  if (is_cut) {
    return CorruptionError(file.path(), size, "the file ends here, within its header",
                           kDamageAdvice);
  }
  if (absl::IsInvalidArgument(status)) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(),
                                                      " is not an emdb store: ", status.message(),
                                                      "; nothing was changed: check the path"));
  }
  return SlotError(file, 0, status);
}

absl::StatusOr<Slot> ReadSlot(const File& file, PageId id, uint64_t offset) {
  AlignedBuffer buffer(kSlotBytes);
  std::memset(buffer.data(), 0, kSlotBytes);
  // A short read is fine: a file cut short is found by its missing pages, an unmade one is empty.
  EMDB_RETURN_IF_ERROR(file.ReadAt(offset, kSlotBytes, buffer.data()).status());
  return DecodeSlot(id, buffer.data());
}

// The page size by the first slot or, if no copy of that is whole, by where the second one is
// found; 0 if there is neither, or the first is of another version.
absl::StatusOr<uint32_t> FindPageSize(const File& file, const Slot& first) {
  if (first.newest) return first.newest->page_size;
  if (absl::IsFailedPrecondition(first.status)) return 0;
  for (uint32_t size = kMinPageSize; size <= kMaxPageSize; size *= 2) {
    EMDB_ASSIGN_OR_RETURN(const Slot second, ReadSlot(file, 1, size));
    if (second.newest && second.newest->page_size == size) return size;
  }
  return 0;
}

bool SameStore(const StoreHeader& a, const StoreHeader& b) {
  return a.store_id == b.store_id && a.page_size == b.page_size;
}

absl::Status CheckInARow(const StoreHeader& newest, const StoreHeader& older) {
  if (newest.generation == older.generation + 1) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("it holds generation ", older.generation,
                                          ", and the other slot ", newest.generation,
                                          ", not the next"));
}

struct CopyPlace {
  PageId slot;
  size_t offset;
};

// Whether the copy is of `newest`; DataLoss unless it is something that a power cut may leave.
absl::StatusOr<bool> VerifyCopy(const PageFile& file, CopyPlace place, const char* sector,
                                const StoreHeader& newest) {
  StoreHeader header;
  const absl::Status status = DecodeStoreHeader(sector, &header);
  // The making of a store may have been cut off.
  if (absl::IsNotFound(status) && newest.generation == kFirstGeneration) return false;
  if (!status.ok()) {
    return file.Corruption(place.slot, FromAbsl(absl::StrCat("header copy at offset ", place.offset,
                                                             " of the slot: ", status.message())));
  }
  if (header == newest) return true;
  // Its own slot held the generation before the last one until it was written.
  const uint64_t age = place.slot == HeaderSlot(newest.generation) ? kHeaderSlots : 1;
  if (header.generation + age == newest.generation && SameStore(header, newest)) return false;
  return file.Corruption(place.slot, "a header that does not belong there");
}

}  // namespace

absl::StatusOr<FoundHeader> ReadNewestHeader(const File& file) {
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  EMDB_ASSIGN_OR_RETURN(const Slot first, ReadSlot(file, 0, 0));
  // The first slot says where the second one is. In a store that is being made it may be missing.
  EMDB_ASSIGN_OR_RETURN(const uint32_t page_size, FindPageSize(file, first));
  if (page_size == 0) return ClassifyForeignFile(file, size, first.status);
  EMDB_ASSIGN_OR_RETURN(const Slot second, ReadSlot(file, 1, page_size));
  if (first.newest && second.newest && !SameStore(*first.newest, *second.newest)) {
    return SlotError(file, page_size, absl::DataLossError("it is another store's"));
  }
  StoreHeader newest = first.newest ? *first.newest : *second.newest;
  StoreHeader older = second.newest ? *second.newest : newest;
  if (older.generation > newest.generation) std::swap(newest, older);
  const bool may_be_unmade = first.newest || absl::IsNotFound(first.status);
  if (may_be_unmade && newest.generation <= kFirstGeneration &&
      size <= uint64_t{kHeaderSlots} * page_size) {
    newest.generation = kFirstGeneration;
    return FoundHeader{newest, older.next_seq};
  }
  if (!first.newest) return SlotError(file, 0, first.status);
  if (!second.newest) return SlotError(file, page_size, second.status);
  if (const absl::Status status = CheckInARow(newest, older); !status.ok()) {
    return CorruptionError(file.path(), HeaderSlot(older.generation) * uint64_t{page_size},
                           FromAbsl(absl::StrCat("a header was lost: ", status.message())),
                           "it may have been the newest: restore the store from a backup");
  }
  if (size < uint64_t{newest.file_pages} * page_size) {
    return CorruptionError(file.path(), size,
                           FromAbsl(absl::StrCat("the file ends here, expected ", newest.file_pages,
                                                 " pages of ", page_size)),
                           kDamageAdvice);
  }
  return FoundHeader{newest, older.next_seq};
}

absl::StatusOr<HeaderSlots> ReadHeaderSlots(const File& file) {
  const auto read = [&file](PageId id, uint64_t offset) {
    absl::StatusOr<Slot> slot = ReadSlot(file, id, offset);
    return slot.ok() ? *std::move(slot) : Slot{slot.status(), {}};
  };
  const Slot first = read(0, 0);
  Slot second;
  second.status = absl::NotFoundError("");
  // Without the first slot, the page size is what the second one says where it is found.
  for (uint32_t size = kMinPageSize; size <= kMaxPageSize && !second.newest; size *= 2) {
    if (first.newest && first.newest->page_size != size) continue;
    Slot found = read(1, size);
    const bool fits = !found.newest || (found.newest->page_size == size &&
                                        (!first.newest || SameStore(*first.newest, *found.newest)));
    if (!fits) found = {absl::DataLossError("it is another store's"), {}};
    if (found.newest || Weight(found.status) > Weight(second.status)) second = std::move(found);
  }
  HeaderSlots slots;
  slots.newest = first.newest ? first.newest : second.newest;
  slots.status = {first.newest ? absl::OkStatus() : first.status,
                  second.newest ? absl::OkStatus() : second.status};
  if (!first.newest || !second.newest) return slots;
  const bool second_is_newer = second.newest->generation > first.newest->generation;
  if (second_is_newer) slots.newest = second.newest;
  const StoreHeader& older = second_is_newer ? *first.newest : *second.newest;
  slots.status[HeaderSlot(older.generation)] = CheckInARow(*slots.newest, older);
  return slots;
}

absl::Status WriteHeader(File* file, const StoreHeader& header) {
  const PageId first_slot =
      header.generation == kFirstGeneration ? 0 : HeaderSlot(header.generation);
  const uint32_t slots = header.generation == kFirstGeneration ? kHeaderSlots : 1;
  AlignedBuffer buffer(size_t{slots} * header.page_size);
  std::memset(buffer.data(), 0, buffer.size());
  StoreHeader written = header;
  written.generation = header.generation - (slots - 1);
  for (char* slot = buffer.data(); slot < buffer.data() + buffer.size();
       slot += header.page_size, ++written.generation) {
    for (const size_t offset : kCopyOffsets) EncodeStoreHeader(written, slot + offset);
  }
  return file->WriteAt(uint64_t{first_slot} * header.page_size,
                       std::string_view(buffer.data(), buffer.size()));
}

absl::Status VerifyHeaderSlots(const PageFile& file, const StoreHeader& newest) {
  AlignedBuffer page(file.page_size());
  bool newest_seen = false;
  for (PageId slot = 0; slot < kHeaderSlots; ++slot) {
    EMDB_RETURN_IF_ERROR(file.ReadRun({slot, 1}, page.data()));
    for (const size_t offset : kCopyOffsets) {
      EMDB_ASSIGN_OR_RETURN(const bool is_newest,
                            VerifyCopy(file, {slot, offset}, page.data() + offset, newest));
      newest_seen = newest_seen || is_newest;
      std::memset(page.data() + offset, 0, kStoreHeaderSize);
    }
    if (!IsZero(std::string_view(page.data(), page.size()))) {
      return file.Corruption(slot, "bytes of a header slot that must be 0");
    }
  }
  if (newest_seen) return absl::OkStatus();
  return file.Corruption(HeaderSlot(newest.generation), "the newest header is gone");
}

}  // namespace emdb
