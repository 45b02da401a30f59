#include "wal/recovery.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "wal/segment_chain.h"
#include "wal/tail_scan.h"

namespace emdb {
namespace {

constexpr uint64_t kFirstSegmentBytes = 1 << 20;
constexpr uint64_t kCopyBytes = 1 << 20;

// Makes the segment with `header` durable under a spare name.
absl::StatusOr<std::shared_ptr<Segment>> MakeSegment(LogFiles* files, const WalOptions& options,
                                                     const SegmentHeader& header, bool is_first) {
  EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment,
                        Segment::Create(files->env(), files->NewSparePath(), header.capacity_bytes,
                                        Segment::AccessFor(options.io_mode)));
  segment->Renew(header, is_first);
  const uint64_t zeroed = std::min(header.capacity_bytes, kFirstSegmentBytes);
  EMDB_RETURN_IF_ERROR(segment->WriteZeros(0, zeroed));
  EMDB_RETURN_IF_ERROR(segment->WriteBlock());
  EMDB_RETURN_IF_ERROR(segment->Sync());
  return segment;
}

// Puts the pieces of a tail into the files that they belong to, and starts a new segment behind
// them.
class TailRepair {
 public:
  TailRepair(LogFiles* files, const WalOptions& options, const BufferImage& buffer)
      : files_(files), options_(options), buffer_(buffer) {}

  absl::Status Run(const TailScan& scan, RecoveredLog* log) {
    const std::shared_ptr<Segment> last = log->segments.back();
    size_t next = 0;
    while (next < scan.parts.size() && scan.parts[next].in_last) ++next;
    EMDB_RETURN_IF_ERROR(MakeDurable(scan, next, last.get()));
    SegmentEnd end = {last->header().base_lsn, last->header().first_seq};
    for (size_t i = 0; i < scan.parts.size(); ++i) {
      if (i >= next) EMDB_RETURN_IF_ERROR(MakeFromBuffer(scan.parts[i].range, end, log));
      end = EndOf(scan, i);
    }
    const SegmentHeader header =
        HeaderAfter(log->segments.back()->header(), end, RandomSalt(files_->env()),
                    FirstCapacityBytes(options_));
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> fresh,
                          MakeSegment(files_, options_, header, KeepsFirst(header, *log)));
    return Install(std::move(fresh), log);
  }

 private:
  static SegmentEnd EndOf(const TailScan& scan, size_t part) {
    const uint64_t seq =
        part + 1 < scan.parts.size() ? scan.parts[part + 1].range.seq : scan.end_seq;
    return {scan.parts[part].range.end_lsn, seq};
  }

  static bool KeepsFirst(const SegmentHeader& header, const RecoveredLog& log) {
    const Segment& old = *log.segments.back();
    return Replaces(header, old.header()) && old.state().is_first;
  }

  absl::Status Install(std::shared_ptr<Segment> next, RecoveredLog* log) {
    Segment* const old = log->segments.back().get();
    EMDB_RETURN_IF_ERROR(InstallSegment(files_, old, next.get()));
    if (Replaces(next->header(), old->header())) log->segments.pop_back();
    log->segments.push_back(std::move(next));
    return absl::OkStatus();
  }

  // Writes what is not known to be durable of the first `count` parts, all in `last`, and syncs.
  absl::Status MakeDurable(const TailScan& scan, size_t count, Segment* last) {
    if (count == 0) return absl::OkStatus();
    if (last->state().mark != SegmentMark::kOpen) {
      EMDB_RETURN_IF_ERROR(last->ChangeState(
          [](SegmentState* state) { *state = SegmentState{.is_first = state->is_first}; }));
      // Before the frames: bytes behind a closed mark would be taken for none at all.
      EMDB_RETURN_IF_ERROR(last->Sync());
    }
    const uint64_t end_lsn = scan.parts[count - 1].range.end_lsn;
    uint64_t lsn = RoundDownToBlock(std::min(scan.durable_lsn, end_lsn));
    const AlignedBuffer buffer(kCopyBytes);
    for (; lsn < end_lsn; lsn += kCopyBytes) {
      const size_t size = static_cast<size_t>(std::min(kCopyBytes, end_lsn - lsn));
      EMDB_RETURN_IF_ERROR(last->Read(lsn, size, buffer.data()));
      for (size_t i = 0; i < count; ++i) Overlay(scan.parts[i], lsn, size, buffer.data());
      EMDB_RETURN_IF_ERROR(last->Write(lsn, std::string_view(buffer.data(), size)));
    }
    // What was read may never have reached the disk, if a sync failed before the machine went down.
    return last->Sync();
  }

  // Copies what `part` has in the buffer of [lsn, lsn + size) to `to`.
  void Overlay(const TailScan::Part& part, uint64_t lsn, size_t size, char* to) const {
    if (!part.in_buffer) return;
    const uint64_t begin = std::max(lsn, part.range.begin_lsn);
    const uint64_t end = std::min(lsn + size, part.range.end_lsn);
    if (begin >= end) return;
    const std::string_view bytes = buffer_.View(begin, end - begin);
    std::memcpy(to + (begin - lsn), bytes.data(), bytes.size());
  }

  // Makes the segment that holds `range`, which the process was killed before it could make.
  absl::Status MakeFromBuffer(const FrameRange& range, const SegmentEnd& end, RecoveredLog* log) {
    const uint64_t bytes = range.end_lsn - range.begin_lsn;
    const SegmentHeader header =
        HeaderAfter(log->segments.back()->header(), end, range.salt,
                    std::max(FirstCapacityBytes(options_), RoundUpToBlock(bytes)));
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment,
                          MakeSegment(files_, options_, header, KeepsFirst(header, *log)));
    // A copy in aligned memory, for direct I/O.
    const AlignedBuffer copy(bytes);
    std::memcpy(copy.data(), buffer_.View(range.begin_lsn, bytes).data(), bytes);
    EMDB_RETURN_IF_ERROR(segment->Write(range.begin_lsn, std::string_view(copy.data(), bytes)));
    EMDB_RETURN_IF_ERROR(segment->Sync());
    return Install(std::move(segment), log);
  }

  LogFiles* const files_;
  const WalOptions& options_;
  const BufferImage& buffer_;
};

LogPiece SealedPiece(const RecoveredLog& log, size_t i) {
  const SegmentHeader& header = log.segments[i]->header();
  const uint64_t end_lsn = log.segments[i + 1]->header().prev_end_lsn;
  return {{header.salt, header.base_lsn, end_lsn, header.first_seq}, log.segments[i], ""};
}

LogPiece ClosedPiece(const RecoveredLog& log) {
  const Segment& last = *log.segments.back();
  const SegmentHeader& header = last.header();
  const FrameRange range = {header.salt, header.base_lsn, last.state().end_lsn, header.first_seq};
  return {range, log.segments.back(), ""};
}

LogPiece TailPiece(const RecoveredLog& log, const TailScan::Part& part, const BufferImage& buffer) {
  if (!part.in_buffer) return {part.range, log.segments.back(), ""};
  const uint64_t size = part.range.end_lsn - part.range.begin_lsn;
  return {part.range, nullptr, std::string(buffer.View(part.range.begin_lsn, size))};
}

absl::StatusOr<BufferImage> OpenBuffer(LogFiles* files, const LogFiles::Listing& listing) {
  if (listing.has_buffer) return BufferImage::Open(files->env(), files->BufferPath());
  return BufferImage();
}

absl::Status RemoveFiles(LogFiles* files, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) EMDB_RETURN_IF_ERROR(files->Remove(path));
  return absl::OkStatus();
}

// True if the log was closed, not used since, and can be gone on with where it ends.
absl::StatusOr<bool> WasClosed(LogFiles* files, const LogFiles::Listing& listing,
                               const Segment& last, const BufferImage& buffer) {
  if (listing.has_active && last.state().mark == SegmentMark::kClosed) {
    EMDB_ASSIGN_OR_RETURN(const bool continues, ContinuesBehind(last, buffer));
    const uint64_t end_lsn = last.state().end_lsn;
    return !continues && end_lsn + kNumberFrameBytes <= last.header().end_lsn();
  }
  if (listing.has_buffer) return false;
  return CorruptionError(
      files->BufferPath(), 0,
      "the file is missing; the log was not closed, and its newest records may have been there",
      "bring the file back; or, to go on without them, make an empty file of this name");
}

// The end of a log that was closed.
void TakeClosedEnd(RecoveredLog* log) {
  const SegmentState state = log->segments.back()->state();
  log->report.was_clean = true;
  log->end_lsn = state.end_lsn;
  log->next_seq = state.end_seq;
  log->end_salt = state.end_salt;
}

absl::Status EndsBefore(const LogFiles& files, uint64_t next_seq, uint64_t from_seq) {
  return absl::OutOfRangeError(absl::StrCat(files.ActivePath(), ": the log ends before seq ",
                                            next_seq, ", redo begins at seq ", from_seq));
}

// The first step of opening a log: what there is, found and redone without changing a byte.
class LogFinder {
 public:
  LogFinder(LogFiles* files, const LogFiles::Listing& listing, const WalOptions& options)
      : files_(files), listing_(listing), options_(options) {}

  absl::Status Run(const WalRedo* redo) {
    const Segment::Access access =
        options_.read_only ? Segment::Access::kReadOnly : Segment::AccessFor(options_.io_mode);
    EMDB_ASSIGN_OR_RETURN(SegmentChain chain,
                          OpenChain(files_, listing_, access, options_.store_id));
    log.segments = std::move(chain.segments);
    superseded = std::move(chain.superseded);
    EMDB_ASSIGN_OR_RETURN(buffer, OpenBuffer(files_, listing_));
    EMDB_ASSIGN_OR_RETURN(const bool closed,
                          WasClosed(files_, listing_, *log.segments.back(), buffer));
    if (redo != nullptr) EMDB_RETURN_IF_ERROR(RedoSealed(*redo));
    EMDB_RETURN_IF_ERROR(closed ? FindClosedEnd(redo) : FindTornEnd(redo));
    if (redo != nullptr && log.next_seq < redo->from_seq) {
      return EndsBefore(*files_, log.next_seq, redo->from_seq);
    }
    if (options_.read_only) KeepFound();
    return absl::OkStatus();
  }

  RecoveredLog log;
  std::vector<std::string> superseded;
  BufferImage buffer;
  TailScan scan;  // if the log was not closed

 private:
  absl::Status RedoSealed(const WalRedo& redo) const {
    const uint64_t first_seq = log.segments.front()->header().first_seq;
    if (first_seq > redo.from_seq) {
      return absl::OutOfRangeError(absl::StrCat(files_->ActivePath(), ": the log starts at seq ",
                                                first_seq, ", redo begins at seq ", redo.from_seq));
    }
    for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
      if (log.segments[i + 1]->header().first_seq <= redo.from_seq) continue;
      EMDB_RETURN_IF_ERROR(
          ReplayPiece(SealedPiece(log, i), files_->ActivePath(), redo.from_seq, redo.visit));
    }
    return absl::OkStatus();
  }

  absl::Status FindClosedEnd(const WalRedo* redo) {
    TakeClosedEnd(&log);
    if (redo == nullptr || log.next_seq <= redo->from_seq) return absl::OkStatus();
    return ReplayPiece(ClosedPiece(log), files_->ActivePath(), redo->from_seq, redo->visit);
  }

  absl::Status FindTornEnd(const WalRedo* redo) {
    EMDB_RETURN_IF_ERROR(buffer.Load());
    // While it is scanned: its records are read once.
    const auto visit = [redo](uint64_t seq, std::string_view record) {
      const bool wanted = redo != nullptr && seq >= redo->from_seq;
      return wanted ? redo->visit(seq, record) : absl::OkStatus();
    };
    EMDB_ASSIGN_OR_RETURN(scan, ScanTail(*log.segments.back(), buffer, visit));
    log.next_seq = scan.end_seq;
    log.report.records_from_buffer = scan.records_from_buffer;
    log.report.bytes_cut = scan.bytes_cut;
    return absl::OkStatus();
  }

  void KeepFound() {
    LogSnapshot& found = log.found;
    found.path = files_->ActivePath();
    found.first_seq = log.segments.front()->header().first_seq;
    for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
      found.pieces.push_back(SealedPiece(log, i));
    }
    if (log.report.was_clean) found.pieces.push_back(ClosedPiece(log));
    for (const TailScan::Part& part : scan.parts) {
      found.pieces.push_back(TailPiece(log, part, buffer));
    }
  }

  LogFiles* const files_;
  const LogFiles::Listing& listing_;
  const WalOptions& options_;
};

absl::StatusOr<RecoveredLog> OpenLog(LogFiles* files, const LogFiles::Listing& listing,
                                     const WalOptions& options, const WalRedo* redo) {
  LogFinder finder(files, listing, options);
  EMDB_RETURN_IF_ERROR(finder.Run(redo));
  RecoveredLog& log = finder.log;
  if (options.read_only) return std::move(log);
  // Before the repair, which may use their names.
  EMDB_RETURN_IF_ERROR(RemoveFiles(files, finder.superseded));
  EMDB_RETURN_IF_ERROR(RemoveFiles(files, listing.spares));
  if (!log.report.was_clean) {
    EMDB_RETURN_IF_ERROR(TailRepair(files, options, finder.buffer).Run(finder.scan, &log));
    log.end_lsn = log.segments.back()->header().base_lsn;
  }
  return std::move(log);
}

// Maps the append buffer; its name is durable on return.
absl::StatusOr<std::unique_ptr<RingMapping>> MapBuffer(LogFiles* files, const WalOptions& options,
                                                       bool exists) {
  EMDB_ASSIGN_OR_RETURN(
      std::unique_ptr<RingMapping> buffer,
      files->env()->MapRing(files->BufferPath(), options.append_buffer_size_bytes));
  // A log that was not closed and has no buffer is taken for damaged.
  if (!exists) EMDB_RETURN_IF_ERROR(files->SyncDirectory());
  return buffer;
}

absl::StatusOr<RecoveredLog> CreateLog(LogFiles* files, const LogFiles::Listing& listing,
                                       const WalOptions& options) {
  RecoveredLog log;
  EMDB_RETURN_IF_ERROR(RemoveFiles(files, listing.spares));
  EMDB_ASSIGN_OR_RETURN(log.buffer, MapBuffer(files, options, listing.has_buffer));
  SegmentHeader header;
  if (options.store_id.has_value()) {
    header.store_id = *options.store_id;
  } else {
    files->env()->FillRandom(reinterpret_cast<char*>(header.store_id.data()),
                             header.store_id.size());
  }
  header.salt = RandomSalt(files->env());
  header.number = 1;
  header.capacity_bytes = FirstCapacityBytes(options);
  EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment,
                        MakeSegment(files, options, header, true));
  EMDB_RETURN_IF_ERROR(InstallSegment(files, nullptr, segment.get()));
  log.segments.push_back(std::move(segment));
  return log;
}

}  // namespace

uint64_t FullCapacityBytes(const WalOptions& options) {
  return RoundDownToBlock(options.segment_size_bytes) - kSegmentBlockBytes;
}

uint64_t FirstCapacityBytes(const WalOptions& options) {
  return std::min(FullCapacityBytes(options), kFirstSegmentBytes - kSegmentBlockBytes);
}

absl::StatusOr<RecoveredLog> RecoverLog(LogFiles* files, const WalOptions& options,
                                        const WalRedo* redo) {
  EMDB_ASSIGN_OR_RETURN(const LogFiles::Listing listing, files->List());
  const bool exists = listing.has_active || !listing.sealed.empty();
  if (!exists && (options.read_only || !options.create_if_missing)) {
    return absl::NotFoundError(absl::StrCat(files->ActivePath(), ": there is no such log"));
  }
  if (!exists && redo != nullptr && redo->from_seq > 0)
    return EndsBefore(*files, 0, redo->from_seq);
  absl::StatusOr<RecoveredLog> log =
      exists ? OpenLog(files, listing, options, redo) : CreateLog(files, listing, options);
  if (!log.ok()) return log;
  if (!options.read_only && log->buffer == nullptr) {
    EMDB_ASSIGN_OR_RETURN(log->buffer, MapBuffer(files, options, listing.has_buffer));
  }
  WalRecovery& report = log->report;
  report.first_seq = log->segments.front()->header().first_seq;
  report.records = log->next_seq - report.first_seq;
  report.segments = log->segments.size();
  return log;
}

}  // namespace emdb
