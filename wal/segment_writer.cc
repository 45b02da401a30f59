#include "wal/segment_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/aligned_buffer.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

}  // namespace

SegmentWriter::SegmentWriter(LogFiles* files, std::shared_ptr<Segment> active)
    : files_(files), active_(std::move(active)) {}

absl::Status SegmentWriter::Final(absl::Status status) {
  if (!status.ok()) failed_ = true;
  return status;
}

absl::Status SegmentWriter::SyncSegment(Segment* segment) {
  Env* const env = files_->env();
  const uint64_t start = env->NowNanos();
  const absl::Status status = segment->Sync();
  last_sync_nanos_ = env->NowNanos() - start;
  counts_.sync_latency.Record(last_sync_nanos_);
  return Final(status);
}

absl::Status SegmentWriter::Resume(std::string_view blocks, uint64_t salt) {
  EMDB_RETURN_IF_ERROR(active_->ChangeState([salt](SegmentState* state) {
    state->mark = SegmentMark::kOpen;
    state->end_salt = salt;
  }));
  EMDB_RETURN_IF_ERROR(Write(active_->state().end_lsn, blocks));
  // Before the first append: with the mark in place, what is behind it would not be looked for.
  return Sync();
}

absl::Status SegmentWriter::Write(uint64_t from_lsn, std::string_view blocks) {
  dirty_ = true;
  EMDB_RETURN_IF_ERROR(active_->Write(from_lsn, blocks));
  // Read for statistics only.
  counts_.bytes_written.fetch_add(blocks.size() - from_lsn % kSegmentBlockBytes,
                                  std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status SegmentWriter::WriteFrame(const LongFrame& frame, std::string_view before,
                                       std::string* last_block) {
  char header[kFrameHeaderBytes];
  EncodeFrameHeader(frame.header, header);
  const std::string padding(
      FrameBytes(frame.payload.size()) - kFrameHeaderBytes - frame.payload.size(), '\0');
  const std::string_view parts[] = {before, std::string_view(header, sizeof(header)), frame.payload,
                                    padding};

  const AlignedBuffer piece(kPieceBytes);
  uint64_t piece_lsn = RoundDownToBlock(frame.lsn);
  size_t filled = 0;
  const auto write_piece = [&]() -> absl::Status {
    const std::string_view blocks(piece.data(), filled);
    EMDB_RETURN_IF_ERROR(Write(std::max(piece_lsn, frame.lsn), blocks));
    last_block->assign(blocks.substr(RoundDownToBlock(filled)));
    piece_lsn += filled;
    filled = 0;
    return absl::OkStatus();
  };
  for (std::string_view part : parts) {
    while (!part.empty()) {
      const size_t size = std::min(part.size(), piece.size() - filled);
      std::memcpy(piece.data() + filled, part.data(), size);
      filled += size;
      part.remove_prefix(size);
      if (filled == piece.size()) EMDB_RETURN_IF_ERROR(write_piece());
    }
  }
  return filled == 0 ? absl::OkStatus() : write_piece();
}

absl::Status SegmentWriter::Sync() {
  if (!dirty_) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(SyncSegment(active_.get()));
  dirty_ = false;
  return absl::OkStatus();
}

absl::Status SegmentWriter::WriteHeader(Segment* next, const SegmentHeader& header, bool is_first) {
  next->Renew(header, is_first);
  EMDB_RETURN_IF_ERROR(next->WriteBlock());
  // Before its first record, and before it has a name that means something.
  return SyncSegment(next);
}

absl::Status SegmentWriter::Start(std::shared_ptr<Segment> next, const SegmentHeader& header) {
  // What is in a sealed segment is durable: only the active one can have a torn tail.
  EMDB_RETURN_IF_ERROR(Sync());
  const bool is_first = Replaces(header, active_->header()) && active_->state().is_first;
  EMDB_RETURN_IF_ERROR(WriteHeader(next.get(), header, is_first));
  EMDB_RETURN_IF_ERROR(Final(InstallSegment(files_, active_.get(), next.get())));
  active_ = std::move(next);
  return absl::OkStatus();
}

absl::Status SegmentWriter::StartOver(std::shared_ptr<Segment> next, const SegmentHeader& header) {
  EMDB_RETURN_IF_ERROR(WriteHeader(next.get(), header, true));
  EMDB_RETURN_IF_ERROR(Final(InstallSegment(files_, nullptr, next.get())));
  active_ = std::move(next);
  dirty_ = false;
  return absl::OkStatus();
}

absl::Status SegmentWriter::MarkFirst(Segment* segment) {
  if (segment->state().is_first) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(segment->ChangeState([](SegmentState* state) { state->is_first = true; }));
  // Before the segments in front of it are removed: without the mark they would be missed.
  return SyncSegment(segment);
}

absl::Status SegmentWriter::MarkClosed(const SegmentEnd& end, uint64_t salt) {
  // A turn that makes no record durable does not sync, but may have written: a void, the end of a
  // failed group.
  EMDB_RETURN_IF_ERROR(Sync());
  EMDB_RETURN_IF_ERROR(active_->ChangeState([&end, salt](SegmentState* state) {
    state->mark = SegmentMark::kClosed;
    state->end_lsn = end.lsn;
    state->end_seq = end.seq;
    state->end_salt = salt;
  }));
  return SyncSegment(active_.get());
}

}  // namespace emdb
