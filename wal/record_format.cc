#include "wal/record_format.h"

#include <algorithm>
#include <cstring>

#include "storage/coding.h"
#include "storage/crc32c.h"

namespace emdb {
namespace {

constexpr size_t kCrcOffset = 0;
constexpr size_t kLengthOffset = 4;
constexpr size_t kSeqAndKindOffset = 8;

constexpr uint64_t PackSeqAndKind(uint64_t seq, FrameKind kind) {
  return seq << 8 | static_cast<uint8_t>(kind);
}

bool IsKnownKind(uint8_t kind) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kRecord:
    case FrameKind::kVoid:
    case FrameKind::kWitness:
    case FrameKind::kResume:
      return true;
  }
  return false;
}

}  // namespace

uint32_t FrameCrc(uint32_t payload_crc, const FrameHeader& header, const FramePlace& place) {
  char identity[28];
  Store64(identity, PackSeqAndKind(header.seq, header.kind));
  Store64(identity + 8, place.salt);
  Store64(identity + 16, place.lsn);
  Store32(identity + 24, header.length);
  return ExtendCrc32c(payload_crc, std::string_view(identity, sizeof(identity)));
}

void EncodeFrameHeader(const FrameHeader& header, char* to) {
  Store32(to + kCrcOffset, header.crc);
  Store32(to + kLengthOffset, header.length);
  Store64(to + kSeqAndKindOffset, PackSeqAndKind(header.seq, header.kind));
}

void EncodeFrame(FrameHeader header, const FramePlace& place, std::string_view payload,
                 uint32_t payload_crc, char* to) {
  header.length = static_cast<uint32_t>(payload.size());
  header.crc = FrameCrc(payload_crc, header, place);
  // The padding, by one store; what is not padding of these bytes is written next.
  Store64(to + FrameBytes(payload.size()) - kFrameAlignment, 0);
  EncodeFrameHeader(header, to);
  // An empty view may have no data, which memcpy must not be given.
  if (!payload.empty()) std::memcpy(to + kFrameHeaderBytes, payload.data(), payload.size());
}

bool DecodeFrameHeader(const char* from, FrameHeader* header) {
  const uint64_t seq_and_kind = Load64(from + kSeqAndKindOffset);
  const uint8_t kind = static_cast<uint8_t>(seq_and_kind);
  if (!IsKnownKind(kind)) return false;
  header->crc = Load32(from + kCrcOffset);
  header->length = Load32(from + kLengthOffset);
  header->kind = static_cast<FrameKind>(kind);
  header->seq = seq_and_kind >> 8;
  return TakesSeq(header->kind) ? header->length <= kMaxRecordBytes
                                : header->length == kNumberPayloadBytes;
}

bool FrameIsIntact(const FrameHeader& header, const FramePlace& place, std::string_view frame) {
  const std::string_view padding = frame.substr(kFrameHeaderBytes + header.length);
  if (!std::all_of(padding.begin(), padding.end(), [](char c) { return c == 0; })) return false;
  return FrameCrc(Crc32c(FramePayload(header, frame)), header, place) == header.crc;
}

uint64_t NextSalt(uint64_t salt) {
  // The finalizer of splitmix64 (S. Vigna, 2015): a permutation without short cycles from random
  // starts.
  uint64_t z = salt + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace emdb
