#include "wal/append_buffer.h"

#include <bit>
#include <cstring>
#include <utility>

#include "storage/check.h"
#include "storage/coding.h"
#include "storage/crc32c.h"

namespace emdb {

AppendBuffer::AppendBuffer(std::unique_ptr<RingMapping> ring, const TailSegment& segment,
                           uint64_t lsn, uint64_t seq)
    : ring_(std::move(ring)),
      segment_(segment),
      tail_lsn_(lsn),
      seq_(seq),
      free_lsn_(RoundDownToBlock(lsn)) {
  EMDB_CHECK(std::has_single_bit(ring_->size()) && ring_->size() > 2 * kSlackBytes);
}

AppendBuffer::Fit AppendBuffer::FitOf(uint64_t payload_bytes) const {
  const uint64_t end_lsn = tail_lsn_ + FrameBytes(payload_bytes);
  if (end_lsn > segment_.end_lsn) return Fit::kSegmentFull;
  if (end_lsn > limit_lsn()) return Fit::kBufferFull;
  return Fit::kFits;
}

uint64_t AppendBuffer::AppendRecord(std::string_view payload, uint32_t payload_crc) {
  const FrameHeader header = {.kind = FrameKind::kRecord, .seq = seq_};
  EncodeFrame(header, {segment_.salt, tail_lsn_}, payload, payload_crc, At(tail_lsn_));
  tail_lsn_ += FrameBytes(payload.size());
  return seq_++;
}

bool AppendBuffer::AppendWitness(uint64_t durable_seq) {
  if (tail_lsn_ + kNumberFrameBytes > segment_.end_lsn) return false;
  AppendNumber(FrameKind::kWitness, durable_seq);
  return true;
}

void AppendBuffer::AppendResume(uint64_t salt) {
  EMDB_CHECK(tail_lsn_ + kNumberFrameBytes <= segment_.end_lsn);
  AppendNumber(FrameKind::kResume, salt);
  segment_.salt = salt;
}

void AppendBuffer::AppendNumber(FrameKind kind, uint64_t number) {
  char payload[kNumberPayloadBytes];
  Store64(payload, number);
  const std::string_view bytes(payload, sizeof(payload));
  const FrameHeader header = {.kind = kind, .seq = seq_};
  EncodeFrame(header, {segment_.salt, tail_lsn_}, bytes, Crc32c(bytes), At(tail_lsn_));
  tail_lsn_ += kNumberFrameBytes;
}

void AppendBuffer::SkipRecord(uint64_t end_lsn, std::string_view last_block) {
  EMDB_CHECK(end_lsn <= segment_.end_lsn && last_block.size() == end_lsn % kSegmentBlockBytes);
  tail_lsn_ = end_lsn;
  Free(end_lsn);
  Load(RoundDownToBlock(end_lsn), last_block);
  ++seq_;
}

void AppendBuffer::Load(uint64_t lsn, std::string_view bytes) {
  EMDB_CHECK(lsn >= free_lsn_ && lsn + bytes.size() <= tail_lsn_);
  if (!bytes.empty()) std::memcpy(At(lsn), bytes.data(), bytes.size());
}

bool AppendBuffer::CanStartSegment() const { return next_base_lsn() <= limit_lsn(); }

void AppendBuffer::StartSegment(const TailSegment& segment) {
  EMDB_CHECK(segment.base_lsn >= next_base_lsn());
  segment_ = segment;
  tail_lsn_ = segment.base_lsn;
  seq_ = segment.first_seq;
}

void AppendBuffer::Void(uint64_t begin_lsn, uint64_t end_lsn, uint64_t salt) {
  for (uint64_t lsn = begin_lsn; lsn < end_lsn;) {
    FrameHeader header;
    EMDB_CHECK(DecodeFrameHeader(At(lsn), &header));
    const uint64_t size = FrameBytes(header.length);
    if (header.kind == FrameKind::kRecord) {
      header.kind = FrameKind::kVoid;
      const std::string_view payload = FramePayload(header, View(lsn, lsn + size));
      header.crc = FrameCrc(Crc32c(payload), header, {salt, lsn});
      EncodeFrameHeader(header, At(lsn));
    }
    lsn += size;
  }
}

}  // namespace emdb
