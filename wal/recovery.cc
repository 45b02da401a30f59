#include "wal/recovery.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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

  // Writes what is not known to be durable and intact of the first `count` parts, all in `last`,
  // and syncs.
  absl::Status MakeDurable(const TailScan& scan, size_t count, Segment* last) {
    if (count == 0) return absl::OkStatus();
    if (last->state().mark != SegmentMark::kOpen) {
      EMDB_RETURN_IF_ERROR(last->ChangeState(
          [](SegmentState* state) { *state = SegmentState{.is_first = state->is_first}; }));
      // Before the frames: bytes behind a closed mark would be taken for none at all.
      EMDB_RETURN_IF_ERROR(last->Sync());
    }
    const uint64_t end_lsn = scan.parts[count - 1].range.end_lsn;
    uint64_t lsn = std::min(scan.durable_lsn, end_lsn);
    // What was taken from the buffer is not whole in the file, even if witnesses say that it was
    // durable.
    for (size_t i = 0; i < count; ++i) {
      if (scan.parts[i].in_buffer) lsn = std::min(lsn, scan.parts[i].range.begin_lsn);
    }
    lsn = RoundDownToBlock(lsn);
    const AlignedBuffer buffer(kCopyBytes);
    for (; lsn < end_lsn; lsn += kCopyBytes) {
      const size_t size = static_cast<size_t>(std::min(kCopyBytes, end_lsn - lsn));
      EMDB_RETURN_IF_ERROR(last->Read(lsn, size, buffer.data()));
      for (size_t i = 0; i < count; ++i) {
        EMDB_RETURN_IF_ERROR(Overlay(scan.parts[i], lsn, size, buffer.data()));
      }
      EMDB_RETURN_IF_ERROR(last->Write(lsn, std::string_view(buffer.data(), size)));
    }
    // What was read may never have reached the disk, if a sync failed before the machine went down.
    return last->Sync();
  }

  // Copies what `part` has in the buffer of [lsn, lsn + size) to `to`.
  absl::Status Overlay(const TailScan::Part& part, uint64_t lsn, size_t size, char* to) const {
    if (!part.in_buffer) return absl::OkStatus();
    const uint64_t begin = std::max(lsn, part.range.begin_lsn);
    const uint64_t end = std::min(lsn + size, part.range.end_lsn);
    if (begin >= end) return absl::OkStatus();
    return buffer_.Read(begin, end - begin, to + (begin - lsn));
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
    EMDB_RETURN_IF_ERROR(buffer_.Read(range.begin_lsn, bytes, copy.data()));
    EMDB_RETURN_IF_ERROR(segment->Write(range.begin_lsn, std::string_view(copy.data(), bytes)));
    EMDB_RETURN_IF_ERROR(segment->Sync());
    return Install(std::move(segment), log);
  }

  LogFiles* const files_;
  const WalOptions& options_;
  const BufferImage& buffer_;
};

absl::Status RemoveFiles(LogFiles* files, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) EMDB_RETURN_IF_ERROR(files->Remove(path));
  return absl::OkStatus();
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

// Makes durable what `found` is known by, but for its tail: the process that made it may have
// ended, or its sync have failed, before it was. What is done next is built upon it.
absl::Status MakeFoundDurable(LogFiles* files, const FoundLog& found) {
  if (!found.superseded.empty()) {
    // Before those in front of it go: without its mark they would be missed. Written again, because
    // after a sync that failed the next one may say OK and do nothing.
    Segment* const first = found.segments.front().get();
    EMDB_RETURN_IF_ERROR(first->WriteBlock());
    EMDB_RETURN_IF_ERROR(first->Sync());
  }
  // Before other names change: if only those reached the disk, a segment that has its name from a
  // rename would be gone, or the buffer not there.
  return files->SyncDirectory();
}

// Goes on with `found`, of which this makes a log that can be appended to.
absl::StatusOr<RecoveredLog> GoOn(LogFiles* files, const WalOptions& options, FoundLog* found) {
  // Before the repair, which may use their names.
  EMDB_RETURN_IF_ERROR(RemoveFiles(files, found->superseded));
  EMDB_RETURN_IF_ERROR(RemoveFiles(files, found->listing.spares));
  RecoveredLog log;
  log.segments = std::move(found->segments);
  log.was_closed = found->was_closed;
  log.next_seq = found->next_seq;
  const bool has_buffer = found->listing.has_buffer;
  if (!has_buffer) {
    // Before the repair, which takes the mark of a closed log away: without it the log must have a
    // buffer. One that is there still holds what the repair puts into the files.
    EMDB_ASSIGN_OR_RETURN(log.buffer, MapBuffer(files, options, has_buffer));
  }
  if (found->was_closed) {
    const SegmentState state = log.segments.back()->state();
    log.end_lsn = state.end_lsn;
    log.end_salt = state.end_salt;
  } else {
    EMDB_RETURN_IF_ERROR(TailRepair(files, options, found->buffer).Run(found->tail, &log));
    log.end_lsn = log.segments.back()->header().base_lsn;
  }
  if (has_buffer) {
    EMDB_ASSIGN_OR_RETURN(log.buffer, MapBuffer(files, options, has_buffer));
  }
  return log;
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
                                        FoundLog found) {
  EMDB_RETURN_IF_ERROR(MakeFoundDurable(files, found));
  if (found.segments.empty()) return CreateLog(files, found.listing, options);
  return GoOn(files, options, &found);
}

}  // namespace emdb
