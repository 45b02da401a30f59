// LogWriter: beginning, dropping and reading segments. The other parts are in log_writer.cc and
// log_writer_io.cc.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "wal/log_writer.h"
#include "wal/record_format.h"
#include "wal/segment_chain.h"

namespace emdb {
namespace {

// True if nobody else has `segment`, which nobody can get at any more: it may be used again.
bool IsUnused(const std::shared_ptr<Segment>& segment) {
  if (segment.use_count() != 1) return false;
#if !defined(__SANITIZE_THREAD__)  // Which knows no fences.
  // Acquire: use_count is a relaxed load. What the last reader did with the segment comes before it
  // let go of it, and so before what is done with it from here on.
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
  return true;
}

}  // namespace

// Goes a step towards a new segment with room for `min_bytes` behind the tail: begins it, or waits
// for what is needed.
absl::Status LogWriter::BeginSegment(uint64_t min_bytes) {
  // A segment without records is replaced by one at the same place, under the salt that follows
  // from its own. Until its file is there, recovery does not know that salt.
  if (buffer_.SegmentIsEmpty() && !rotations_.empty()) return WaitForSpace();
  if (!buffer_.CanStartSegment()) return WaitForSpace();
  std::shared_ptr<Segment> segment = preparer_.TryTake(min_bytes);
  if (segment == nullptr) {
    const uint64_t good_bytes = size_.CapacityAfter(tail_bytes());
    mutex_.Unlock();
    absl::Status status = preparer_.Await({.min_bytes = min_bytes, .good_bytes = good_bytes});
    mutex_.Lock();
    return status;
  }
  size_.NoteEnd(tail_bytes());
  BeginIn(std::move(segment));
  return absl::OkStatus();
}

void LogWriter::BeginIn(std::shared_ptr<Segment> segment) {
  // The piece that is written up to here ends here: whoever writes it is at the tail only behind.
  WitnessBehindRecords();
  const SegmentEnd end = {buffer_.tail_lsn(), buffer_.next_seq()};
  tail_header_ = HeaderAfter(tail_header_, end, NextSalt(buffer_.segment().salt),
                             segment->header().capacity_bytes);
  rotations_.push_back({std::move(segment), tail_header_, end, bytes_appended_});
  buffer_.StartSegment(TailSegment::Of(tail_header_));
  prepare_at_lsn_ = tail_header_.base_lsn + tail_header_.capacity_bytes / 2;
}

absl::StatusOr<uint64_t> LogWriter::Rotate() {
  mutex_.Lock();
  absl::Status status = CheckWritable();
  const uint64_t number_before = tail_header_.number;
  while (status.ok() && !buffer_.SegmentIsEmpty() && tail_header_.number == number_before) {
    if (exclusive_) {
      WaitForChange();
    } else {
      status = BeginSegment(0);
    }
    if (status.ok()) status = CheckWritable();
  }
  const uint64_t first_seq = buffer_.segment().first_seq;
  const bool wake = FlusherOversleeps();
  mutex_.Unlock();
  if (wake) WakeFlusher();
  if (!status.ok()) return status;
  return first_seq;
}

absl::Status LogWriter::TruncateBefore(uint64_t seq) {
  mutex_.Lock();
  AcquireIo();
  absl::Status status = CheckWritable();
  // Segments that were begun but not made yet are made, so that those in front of them count.
  if (status.ok()) status = WriteAll();
  Dropped dropped = {.segments = {}, .size = size_};
  size_t first = 0;
  while (first + 1 < segments_.size() && segments_[first + 1]->header().first_seq <= seq) ++first;
  if (status.ok() && first > 0) {
    const std::shared_ptr<Segment> segment = segments_[first];
    mutex_.Unlock();
    status = output_.MarkFirst(segment.get());
    mutex_.Lock();
    if (status.ok()) {
      const auto end = segments_.begin() + static_cast<ptrdiff_t>(first);
      dropped.segments.assign(segments_.begin(), end);
      segments_.erase(segments_.begin(), end);
    }
  }
  dropped.log_is_busy = tail_bytes() >= tail_header_.capacity_bytes / 2;
  FinishCycleAndUnlock(Cycle{}, status);
  EMDB_RETURN_IF_ERROR(status);
  EMDB_RETURN_IF_ERROR(DropFiles(std::move(dropped)));
  return ShrinkIfEmpty();
}

// The next open removes what an error leaves.
absl::Status LogWriter::DropFiles(Dropped dropped) {
  absl::Status status;  // the first error
  std::shared_ptr<Segment> recycled;
  for (std::shared_ptr<Segment>& segment : dropped.segments) {
    const bool unused = IsUnused(segment);
    const std::string path = segment->path();
    const bool suits = dropped.size.Suits(segment->header().capacity_bytes);
    if (unused && suits && recycled == nullptr && preparer_.HasPlace()) {
      const std::string spare_path = files_->NewSparePath();
      const absl::Status renamed = files_->Rename(path, spare_path);
      status.Update(renamed);
      if (!renamed.ok()) continue;
      segment->set_path(spare_path);
      recycled = std::move(segment);
    } else {
      status.Update(files_->Remove(path));
    }
  }
  // Before the file is used again: under its old name it would be taken for a damaged part of the
  // log. After an error it is not.
  if (!dropped.segments.empty()) status.Update(files_->SyncDirectory());
  if (recycled != nullptr && (!status.ok() || !preparer_.Offer(recycled))) {
    status.Update(files_->Remove(recycled->path()));
  }
  // With segments that fill up before those in front of them are dropped, two spares are in use in
  // turn; otherwise the second one would only take space.
  preparer_.GiveBack(
      {.max_capacity_bytes = dropped.size.max_spare_bytes(), .only_one = !dropped.log_is_busy});
  return status;
}

// True if no record is kept, and the file that the next one goes to is larger than it must be.
bool LogWriter::CanShrink() const {
  return failure_.ok() && segments_.size() == 1 && rotations_.empty() && buffer_.SegmentIsEmpty() &&
         tail_header_.capacity_bytes > size_.first_capacity_bytes();
}

// An empty log takes as little space as a new one.
absl::Status LogWriter::ShrinkIfEmpty() {
  uint64_t small_bytes = 0;
  {
    MutexLock lock(&mutex_);
    if (!CanShrink()) return absl::OkStatus();
    size_.StartOver();
    small_bytes = size_.first_capacity_bytes();
  }
  preparer_.GiveBack({.max_capacity_bytes = small_bytes});
  // Without a small file the log goes on in the large one.
  if (!preparer_.Await({.good_bytes = small_bytes}).ok()) return absl::OkStatus();
  mutex_.Lock();
  AcquireIo();
  absl::Status status;
  // Records may have come in meanwhile: then the file is ready for when this one is full.
  if (CanShrink() && buffer_.CanStartSegment()) {
    std::shared_ptr<Segment> small = preparer_.TryTake(0);
    if (small != nullptr) {
      BeginIn(std::move(small));
      status = WriteAll();
    }
  }
  FinishCycleAndUnlock(Cycle{}, status);
  return status;
}

absl::Status LogWriter::Truncate(uint64_t first_seq) {
  if (first_seq > kMaxSeq) {
    return absl::InvalidArgumentError(
        absl::StrCat("first seq ", first_seq, ", at most ", kMaxSeq, " is possible"));
  }
  std::vector<std::shared_ptr<Segment>> dropped;
  mutex_.Lock();
  exclusive_ = true;
  AcquireIo();
  absl::Status status = CheckWritable();
  if (status.ok()) status = StartOver(first_seq, &dropped);
  exclusive_ = false;
  FinishCycleAndUnlock(Cycle{}, status);
  EMDB_RETURN_IF_ERROR(status);
  for (const std::shared_ptr<Segment>& segment : dropped) {
    EMDB_RETURN_IF_ERROR(files_->Remove(segment->path()));
  }
  return dropped.empty() ? absl::OkStatus() : files_->SyncDirectory();
}

// Puts an empty segment in place of the log. *dropped are the segments whose files are left.
absl::Status LogWriter::StartOver(uint64_t first_seq,
                                  std::vector<std::shared_ptr<Segment>>* dropped) {
  size_.StartOver();
  const uint64_t small_bytes = size_.first_capacity_bytes();
  std::shared_ptr<Segment> segment;
  while (segment == nullptr) {
    mutex_.Unlock();
    preparer_.GiveBack({.max_capacity_bytes = small_bytes});
    const absl::Status status = preparer_.Await({.good_bytes = small_bytes});
    mutex_.Lock();
    EMDB_RETURN_IF_ERROR(status);
    segment = preparer_.TryTake(0);
  }
  const SegmentHeader header = {.store_id = tail_header_.store_id,
                                .salt = RandomSalt(env_),
                                .number = tail_header_.number + 1,
                                .first_seq = first_seq,
                                .base_lsn = buffer_.next_base_lsn(),
                                .capacity_bytes = segment->header().capacity_bytes};
  mutex_.Unlock();
  absl::Status status = output_.StartOver(segment, header);
  mutex_.Lock();
  if (!status.ok()) {
    // The error that counts is the first one; the next open removes what is left. If the name is
    // that of the log already, the new segment is all there is.
    if (segment->path() != files_->ActivePath()) files_->Remove(segment->path()).IgnoreError();
    return status;
  }
  // The last one's file had the name that the new one has now.
  dropped->assign(segments_.begin(), segments_.end() - 1);
  for (const Rotation& rotation : rotations_) dropped->push_back(rotation.segment);
  rotations_.clear();
  segments_.assign(1, segment);
  active_salt_ = header.salt;
  tail_header_ = header;
  buffer_.StartSegment(TailSegment::Of(header));
  buffer_.Free(header.base_lsn);
  written_ = {header.base_lsn, first_seq};
  durable_lsn_ = header.base_lsn;
  bytes_durable_ = bytes_appended_;
  witnessed_seq_ = first_seq;
  deadline_nanos_ = kNever;
  prepare_at_lsn_ = header.base_lsn + header.capacity_bytes / 2;
  durable_seq_.store(first_seq, std::memory_order_release);
  // Others will have the seqs that they wait for.
  callbacks_.Complete(UINT64_MAX,
                      absl::CancelledError("the log was emptied before the record was durable"));
  return absl::OkStatus();
}

LogSnapshot LogWriter::Snapshot() const {
  MutexLock lock(&mutex_);
  LogSnapshot snapshot;
  snapshot.path = files_->ActivePath();
  snapshot.first_seq = segments_.front()->header().first_seq;
  const uint64_t file_end = failure_.ok() ? written_.lsn : durable_lsn_;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const SegmentHeader& header = segments_[i]->header();
    const bool is_last = i + 1 == segments_.size();
    const uint64_t end_lsn = is_last ? file_end : segments_[i + 1]->header().prev_end_lsn;
    snapshot.pieces.push_back(
        {{header.salt, header.base_lsn, end_lsn, header.first_seq}, segments_[i], ""});
  }
  if (!failure_.ok()) return snapshot;
  // What is not written yet lies in the buffer, and may be overwritten there once it is.
  FrameRange range = {active_salt_, written_.lsn, 0, written_.seq};
  for (const Rotation& rotation : rotations_) {
    range.end_lsn = rotation.old_end.lsn;
    snapshot.pieces.push_back(
        {range, nullptr, std::string(buffer_.View(range.begin_lsn, range.end_lsn))});
    range = {rotation.header.salt, rotation.header.base_lsn, 0, rotation.header.first_seq};
  }
  range.end_lsn = buffer_.tail_lsn();
  snapshot.pieces.push_back(
      {range, nullptr, std::string(buffer_.View(range.begin_lsn, range.end_lsn))});
  return snapshot;
}

}  // namespace emdb
