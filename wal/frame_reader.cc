#include "wal/frame_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/coding.h"
#include "storage/status.h"

namespace emdb {
namespace {

// Large enough that the device is read in long pieces. Small because its memory is new: each page
// of it is a page fault, which is what opening a log with few records would mostly consist of.
constexpr uint64_t kWindowBytes = 256 << 10;

}  // namespace

FrameReader::FrameReader(const StreamSource* source, const FrameRange& range)
    : source_(source),
      range_(range),
      lsn_(range.begin_lsn),
      seq_(range.seq),
      salt_(range.salt),
      window_lsn_(range.begin_lsn) {}

FrameReader::FrameReader(std::string_view bytes, const FrameRange& range)
    : source_(nullptr),
      range_(range),
      lsn_(range.begin_lsn),
      seq_(range.seq),
      salt_(range.salt),
      window_(bytes),
      window_lsn_(range.begin_lsn) {
  EMDB_CHECK(bytes.size() == range.end_lsn - range.begin_lsn);
}

absl::Status FrameReader::Fill(uint64_t lsn, uint64_t size) {
  const bool inside = lsn >= window_lsn_ && lsn + size <= window_lsn_ + window_.size();
  if (inside) [[likely]]
    return absl::OkStatus();
  EMDB_CHECK(source_ != nullptr);
  const uint64_t want = std::min(std::max(size, kWindowBytes), range_.end_lsn - lsn);
  if (buffer_.size() < want) buffer_ = AlignedBuffer(want);
  window_ = {};
  EMDB_RETURN_IF_ERROR(source_->Read(lsn, want, buffer_.data()));
  window_ = std::string_view(buffer_.data(), want);
  window_lsn_ = lsn;
  return absl::OkStatus();
}

absl::StatusOr<bool> FrameReader::ReadAt(uint64_t lsn, Frame* frame) {
  const uint64_t left = range_.end_lsn - lsn;
  if (left < kFrameHeaderBytes) return false;
  EMDB_RETURN_IF_ERROR(Fill(lsn, kFrameHeaderBytes));
  if (!DecodeFrameHeader(At(lsn), &frame->header)) return false;
  return FrameBytes(frame->header.length) <= left;
}

absl::StatusOr<bool> FrameReader::Peek(uint64_t lsn, uint64_t min_seq, uint64_t max_seq,
                                       Frame* frame) {
  EMDB_ASSIGN_OR_RETURN(const bool possible, ReadAt(lsn, frame));
  const FrameHeader& header = frame->header;
  // Before the checksum: random bytes pass for a header with a length of up to 1 GiB too often to
  // read it all.
  if (!possible || header.seq < min_seq || header.seq > max_seq) return false;
  return CheckAt(lsn, frame);
}

absl::StatusOr<bool> FrameReader::PeekNumber(uint64_t lsn, uint64_t min_seq, uint64_t max_seq,
                                             Frame* frame) {
  EMDB_ASSIGN_OR_RETURN(const bool possible, ReadAt(lsn, frame));
  const FrameHeader& header = frame->header;
  if (!possible || header.seq < min_seq || header.seq > max_seq) return false;
  if (TakesSeq(header.kind) || header.length != kNumberPayloadBytes) return false;
  return CheckAt(lsn, frame);
}

absl::StatusOr<bool> FrameReader::CheckAt(uint64_t lsn, Frame* frame) {
  const FrameHeader& header = frame->header;
  const uint64_t size = FrameBytes(header.length);
  EMDB_RETURN_IF_ERROR(Fill(lsn, size));
  const std::string_view bytes(At(lsn), size);
  bytes_checked_ += size;
  if (!FrameIsIntact(header, {salt_, lsn}, bytes)) return false;
  frame->payload = FramePayload(header, bytes);
  return true;
}

absl::StatusOr<bool> FrameReader::Next(Frame* frame) {
  if (AtEnd()) return false;
  EMDB_ASSIGN_OR_RETURN(const bool intact, Peek(lsn_, seq_, seq_, frame));
  if (!intact) [[unlikely]] {
    problem_ = absl::StrCat("expected the record with seq ", seq_, ", found bytes that are not it");
    return false;
  }
  if (frame->header.kind == FrameKind::kWitness && Load64(frame->payload.data()) > seq_) {
    problem_ = absl::StrCat("a witness in front of seq ", seq_, " speaks of seq ",
                            Load64(frame->payload.data()));
    return false;
  }
  lsn_ += FrameBytes(frame->header.length);
  if (TakesSeq(frame->header.kind)) ++seq_;
  if (frame->header.kind == FrameKind::kResume) salt_ = Load64(frame->payload.data());
  return true;
}

}  // namespace emdb
