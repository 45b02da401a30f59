#include "wal/segment_format.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/status.h"
#include "wal/record_format.h"

namespace emdb {
namespace {

constexpr char kMagic[] =
    "\x89"
    "EMWAL\r\n";
constexpr size_t kMagicBytes = 8;
// Features that a reader must know; none yet.
constexpr uint32_t kKnownIncompatibleFeatures = 0;

// The header's sector.
constexpr size_t kVersionOffset = 8;
constexpr size_t kIncompatibleOffset = 12;
constexpr size_t kCompatibleOffset = 16;
constexpr size_t kStoreIdOffset = 24;
constexpr size_t kSaltOffset = 40;
constexpr size_t kNumberOffset = 48;
constexpr size_t kFirstSeqOffset = 56;
constexpr size_t kBaseLsnOffset = 64;
constexpr size_t kCapacityOffset = 72;
constexpr size_t kPrevSaltOffset = 80;
constexpr size_t kPrevEndLsnOffset = 88;
constexpr size_t kHeaderEnd = 96;
constexpr size_t kReserved20Offset = 20;

// The state's sector; offsets within it.
constexpr size_t kStateOffset = 512;
constexpr size_t kMarkOffset = 0;
constexpr size_t kFlagsOffset = 4;
constexpr size_t kStateSaltOffset = 8;
constexpr size_t kEndLsnOffset = 16;
constexpr size_t kEndSeqOffset = 24;
constexpr size_t kEndSaltOffset = 32;
constexpr size_t kStateEnd = 40;
constexpr uint32_t kIsFirstFlag = 1;

// Both sectors end with a CRC32C of what is in front of it.
constexpr size_t kSectorBytes = 512;
constexpr size_t kSectorCrcOffset = 508;

void SealSector(char* sector) {
  Store32(sector + kSectorCrcOffset, Crc32c(std::string_view(sector, kSectorCrcOffset)));
}

bool SectorIsIntact(std::string_view sector) {
  return Load32(sector.data() + kSectorCrcOffset) == Crc32c(sector.substr(0, kSectorCrcOffset));
}

bool IsZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

absl::Status CheckVersion(std::string_view sector, std::string_view path) {
  const uint32_t version = Load32(sector.data() + kVersionOffset);
  if (version != kLogFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        ToAbsl(path), ": log format version ", version, ", this program reads version ",
        kLogFormatVersion, ": open it with the program that wrote it"));
  }
  const uint32_t unknown =
      Load32(sector.data() + kIncompatibleOffset) & ~kKnownIncompatibleFeatures;
  if (unknown != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(ToAbsl(path), ": log format features ", absl::Hex(unknown),
                     " (bits) are not known, known are ", absl::Hex(kKnownIncompatibleFeatures),
                     ": open it with the program that wrote it"));
  }
  return absl::OkStatus();
}

absl::Status DecodeHeader(std::string_view sector, std::string_view path, SegmentHeader* header) {
  if (sector.substr(0, kMagicBytes) != std::string_view(kMagic, kMagicBytes)) {
    return CorruptionError(path, 0, "this is no log segment: wrong magic", kDamagedLogAdvice);
  }
  if (!SectorIsIntact(sector)) {
    return CorruptionError(path, 0, "segment header with a wrong checksum", kDamagedLogAdvice);
  }
  EMDB_RETURN_IF_ERROR(CheckVersion(sector, path));
  const char* const p = sector.data();
  std::memcpy(header->store_id.data(), p + kStoreIdOffset, header->store_id.size());
  header->salt = Load64(p + kSaltOffset);
  header->number = Load64(p + kNumberOffset);
  header->first_seq = Load64(p + kFirstSeqOffset);
  header->base_lsn = Load64(p + kBaseLsnOffset);
  header->capacity_bytes = Load64(p + kCapacityOffset);
  header->prev_salt = Load64(p + kPrevSaltOffset);
  header->prev_end_lsn = Load64(p + kPrevEndLsnOffset);
  constexpr uint64_t kMaxLsn = uint64_t{1} << 62;
  const bool possible = header->base_lsn % kSegmentBlockBytes == 0 && header->base_lsn < kMaxLsn &&
                        header->capacity_bytes % kSegmentBlockBytes == 0 &&
                        header->capacity_bytes < kMaxLsn && header->capacity_bytes > 0 &&
                        header->first_seq <= kMaxSeq && header->prev_end_lsn <= header->base_lsn &&
                        Load32(p + kReserved20Offset) == 0 &&
                        IsZero(sector.substr(kHeaderEnd, kSectorCrcOffset - kHeaderEnd));
  if (possible) return absl::OkStatus();
  return CorruptionError(path, 0, "segment header with impossible fields", kDamagedLogAdvice);
}

absl::Status DecodeState(std::string_view sector, std::string_view path,
                         const SegmentHeader& header, SegmentState* state) {
  const char* const p = sector.data();
  if (!SectorIsIntact(sector) || Load64(p + kStateSaltOffset) != header.salt) {
    return CorruptionError(path, kStateOffset, "segment state with a wrong checksum or salt",
                           kDamagedLogAdvice);
  }
  const uint32_t mark = Load32(p + kMarkOffset);
  const uint32_t flags = Load32(p + kFlagsOffset);
  state->mark = static_cast<SegmentMark>(mark);
  state->is_first = (flags & kIsFirstFlag) != 0;
  state->end_lsn = Load64(p + kEndLsnOffset);
  state->end_seq = Load64(p + kEndSeqOffset);
  state->end_salt = Load64(p + kEndSaltOffset);
  const bool nowhere = state->end_lsn == 0 && state->end_seq == 0 && state->end_salt == 0;
  const bool ends_inside = state->end_lsn >= header.base_lsn &&
                           state->end_lsn <= header.end_lsn() &&
                           state->end_lsn % kFrameAlignment == 0 &&
                           state->end_seq >= header.first_seq && state->end_seq <= kMaxSeq + 1;
  const bool possible = mark >= 1 && mark <= 3 && (flags & ~kIsFirstFlag) == 0 &&
                        (ends_inside || (nowhere && state->mark == SegmentMark::kOpen)) &&
                        (state->mark != SegmentMark::kSealed || state->end_salt == 0) &&
                        IsZero(sector.substr(kStateEnd, kSectorCrcOffset - kStateEnd));
  if (possible) return absl::OkStatus();
  return CorruptionError(path, kStateOffset, "segment state with impossible fields",
                         kDamagedLogAdvice);
}

}  // namespace

void EncodeSegmentBlock(const SegmentHeader& header, const SegmentState& state, char* to) {
  std::memset(to, 0, kSegmentBlockBytes);
  std::memcpy(to, kMagic, kMagicBytes);
  Store32(to + kVersionOffset, kLogFormatVersion);
  Store32(to + kIncompatibleOffset, 0);
  Store32(to + kCompatibleOffset, 0);
  std::memcpy(to + kStoreIdOffset, header.store_id.data(), header.store_id.size());
  Store64(to + kSaltOffset, header.salt);
  Store64(to + kNumberOffset, header.number);
  Store64(to + kFirstSeqOffset, header.first_seq);
  Store64(to + kBaseLsnOffset, header.base_lsn);
  Store64(to + kCapacityOffset, header.capacity_bytes);
  Store64(to + kPrevSaltOffset, header.prev_salt);
  Store64(to + kPrevEndLsnOffset, header.prev_end_lsn);
  SealSector(to);

  char* const sector = to + kStateOffset;
  Store32(sector + kMarkOffset, static_cast<uint32_t>(state.mark));
  Store32(sector + kFlagsOffset, state.is_first ? kIsFirstFlag : 0);
  Store64(sector + kStateSaltOffset, header.salt);
  Store64(sector + kEndLsnOffset, state.end_lsn);
  Store64(sector + kEndSeqOffset, state.end_seq);
  Store64(sector + kEndSaltOffset, state.end_salt);
  SealSector(sector);
}

absl::Status DecodeSegmentBlock(std::string_view from, std::string_view path, SegmentHeader* header,
                                SegmentState* state) {
  EMDB_RETURN_IF_ERROR(DecodeSegmentHeader(from, path, header));
  EMDB_RETURN_IF_ERROR(DecodeState(from.substr(kStateOffset, kSectorBytes), path, *header, state));
  constexpr size_t kUsed = kStateOffset + kSectorBytes;
  if (IsZero(from.substr(kUsed, kSegmentBlockBytes - kUsed))) return absl::OkStatus();
  return CorruptionError(path, kUsed, "reserved bytes of the segment header are not zero",
                         kDamagedLogAdvice);
}

absl::Status DecodeSegmentHeader(std::string_view from, std::string_view path,
                                 SegmentHeader* header) {
  if (from.size() < kSegmentBlockBytes) {
    return CorruptionError(path, 0, "the file ends inside of the segment header",
                           kDamagedLogAdvice);
  }
  return DecodeHeader(from.substr(0, kSectorBytes), path, header);
}

}  // namespace emdb
