#include "wal/log_finder.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "wal/record_format.h"
#include "wal/segment_chain.h"

namespace emdb {
namespace {

LogPiece SealedPiece(const FoundLog& log, size_t i) {
  const SegmentHeader& header = log.segments[i]->header();
  const uint64_t end_lsn = log.segments[i + 1]->header().prev_end_lsn;
  return {{header.salt, header.base_lsn, end_lsn, header.first_seq}, log.segments[i], ""};
}

LogPiece ClosedPiece(const FoundLog& log) {
  const Segment& last = *log.segments.back();
  const SegmentHeader& header = last.header();
  const FrameRange range = {header.salt, header.base_lsn, last.state().end_lsn, header.first_seq};
  return {range, log.segments.back(), ""};
}

absl::StatusOr<LogPiece> TailPiece(const FoundLog& log, const TailScan::Part& part) {
  LogPiece piece = {part.range, log.segments.back(), ""};
  if (!part.in_buffer) return piece;
  const uint64_t size = part.range.end_lsn - part.range.begin_lsn;
  piece.segment = nullptr;
  EMDB_ASSIGN_OR_RETURN(piece.bytes, log.buffer.Read(part.range.begin_lsn, size));
  return piece;
}

absl::StatusOr<BufferImage> OpenBuffer(LogFiles* files, const LogFiles::Listing& listing) {
  if (listing.has_buffer) return BufferImage::Open(files->env(), files->BufferPath());
  return BufferImage();
}

// True if the log was closed, not used since, and can be gone on with where it ends.
absl::StatusOr<bool> WasClosed(const LogFiles& files, const FoundLog& log) {
  const Segment& last = *log.segments.back();
  if (log.listing.has_active && last.state().mark == SegmentMark::kClosed) {
    EMDB_ASSIGN_OR_RETURN(const bool continues, ContinuesBehind(last, log.buffer));
    const uint64_t end_lsn = last.state().end_lsn;
    return !continues && end_lsn + kNumberFrameBytes <= last.header().end_lsn();
  }
  if (log.listing.has_buffer) return false;
  return CorruptionError(
      files.BufferPath(), 0,
      "the file is missing; the log was not closed, and its newest records may have been there",
      "bring the file back; or, to go on without them, make an empty file of this name");
}

absl::Status CheckStart(const LogFiles& files, const FoundLog& log, const WalRedo& redo) {
  const uint64_t first_seq = log.segments.front()->header().first_seq;
  if (first_seq <= redo.from_seq) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(files.ActivePath(), ": the log starts at seq ",
                                            first_seq, ", redo begins at seq ", redo.from_seq));
}

absl::Status CheckEnd(const LogFiles& files, const FoundLog& log, const WalRedo& redo) {
  if (log.next_seq >= redo.from_seq) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(files.ActivePath(), ": the log ends before seq ",
                                            log.next_seq, ", redo begins at seq ", redo.from_seq));
}

absl::Status RedoSealed(const LogFiles& files, const FoundLog& log, const WalRedo& redo) {
  for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
    if (log.segments[i + 1]->header().first_seq <= redo.from_seq) continue;
    EMDB_RETURN_IF_ERROR(
        ReplayPiece(SealedPiece(log, i), files.ActivePath(), redo.from_seq, redo.visit));
  }
  return absl::OkStatus();
}

absl::Status TakeClosedEnd(const LogFiles& files, const WalRedo* redo, FoundLog* log) {
  log->next_seq = log->segments.back()->state().end_seq;
  if (redo == nullptr || log->next_seq <= redo->from_seq) return absl::OkStatus();
  return ReplayPiece(ClosedPiece(*log), files.ActivePath(), redo->from_seq, redo->visit);
}

// A segment has records, and they are durable, before it gets its sealed name.
absl::Status CheckSealedHasRecords(const FoundLog& log) {
  if (log.listing.has_active) return absl::OkStatus();
  const Segment& last = *log.segments.back();
  const std::vector<TailScan::Part>& parts = log.tail.parts;
  const auto behind = std::find_if(parts.begin(), parts.end(),
                                   [](const TailScan::Part& part) { return !part.in_last; });
  const uint64_t end_seq = behind == parts.end() ? log.tail.end_seq : behind->range.seq;
  const SegmentHeader& header = last.header();
  if (end_seq > header.first_seq) return absl::OkStatus();
  return CorruptionError(last.path(), last.OffsetOf(header.base_lsn),
                         absl::StrCat("expected the record with seq ", header.first_seq,
                                      ", found bytes that are not it; the file has the name of a "
                                      "sealed segment, so it had been durable"),
                         kDamagedLogAdvice);
}

absl::Status FindEnd(const WalRedo* redo, FoundLog* log) {
  const auto visit = [redo](uint64_t seq, std::string_view record) {
    const bool wanted = redo != nullptr && seq >= redo->from_seq;
    return wanted ? redo->visit(seq, record) : absl::OkStatus();
  };
  EMDB_ASSIGN_OR_RETURN(log->tail, ScanTail(*log->segments.back(), log->buffer, visit));
  log->next_seq = log->tail.end_seq;
  return CheckSealedHasRecords(*log);
}

}  // namespace

absl::StatusOr<FoundLog> FindLog(LogFiles* files, const WalOptions& options, const WalRedo* redo) {
  FoundLog log;
  EMDB_ASSIGN_OR_RETURN(log.listing, files->List());
  if (!log.listing.has_active && log.listing.sealed.empty()) {
    if (options.read_only || !options.create_if_missing) {
      return absl::NotFoundError(absl::StrCat(files->ActivePath(), ": there is no such log"));
    }
    if (redo != nullptr) EMDB_RETURN_IF_ERROR(CheckEnd(*files, log, *redo));
    return log;
  }
  const Segment::Access access =
      options.read_only ? Segment::Access::kReadOnly : Segment::AccessFor(options.io_mode);
  EMDB_ASSIGN_OR_RETURN(SegmentChain chain,
                        OpenChain(files, log.listing, access, options.store_id));
  log.segments = std::move(chain.segments);
  log.superseded = std::move(chain.superseded);
  EMDB_ASSIGN_OR_RETURN(log.buffer, OpenBuffer(files, log.listing));
  EMDB_ASSIGN_OR_RETURN(log.was_closed, WasClosed(*files, log));
  if (redo != nullptr) {
    EMDB_RETURN_IF_ERROR(CheckStart(*files, log, *redo));
    EMDB_RETURN_IF_ERROR(RedoSealed(*files, log, *redo));
  }
  EMDB_RETURN_IF_ERROR(log.was_closed ? TakeClosedEnd(*files, redo, &log) : FindEnd(redo, &log));
  // Nothing was visited if this is an error.
  if (redo != nullptr) EMDB_RETURN_IF_ERROR(CheckEnd(*files, log, *redo));
  return log;
}

absl::StatusOr<LogSnapshot> SnapshotOf(const LogFiles& files, const FoundLog& found) {
  LogSnapshot snapshot;
  snapshot.path = files.ActivePath();
  snapshot.first_seq = found.segments.front()->header().first_seq;
  for (size_t i = 0; i + 1 < found.segments.size(); ++i) {
    snapshot.pieces.push_back(SealedPiece(found, i));
  }
  if (found.was_closed) snapshot.pieces.push_back(ClosedPiece(found));
  for (const TailScan::Part& part : found.tail.parts) {
    EMDB_ASSIGN_OR_RETURN(LogPiece piece, TailPiece(found, part));
    snapshot.pieces.push_back(std::move(piece));
  }
  return snapshot;
}

}  // namespace emdb
