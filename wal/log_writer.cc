#include "wal/log_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/check.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/status.h"
#include "wal/futex.h"

namespace emdb {
namespace {

// Files quadruple in size until they are as large as asked for.
SegmentPreparer::Sizes PreparerSizes(const WalOptions& options, const RecoveredLog& log) {
  const uint64_t last = log.segments.back()->header().file_bytes();
  return {.next_capacity_bytes = 4 * last - kSegmentBlockBytes,
          .full_capacity_bytes = FullCapacityBytes(options)};
}

TailSegment SegmentOfTail(const RecoveredLog& log) {
  TailSegment segment = TailSegment::Of(log.segments.back()->header());
  if (log.report.was_clean) segment.salt = log.end_salt;
  return segment;
}

uint64_t RandomSalt(Env* env) {
  char salt[8];
  env->FillRandom(salt, sizeof(salt));
  return Load64(salt);
}

absl::Status Failed(const absl::Status& cause) {
  return absl::FailedPreconditionError(
      absl::StrCat("the log takes no more writes since this error: ", cause.ToString(),
                   ": close it and open it again"));
}

}  // namespace

LogWriter::LogWriter(LogFiles* files, const WalOptions& options, RecoveredLog log)
    : files_(files),
      env_(files->env()),
      options_(options),
      preparer_(files, Segment::AccessFor(options.io_mode), PreparerSizes(options, log)),
      durable_seq_(log.next_seq),
      output_(files, log.segments.back()),
      buffer_(std::move(log.buffer), SegmentOfTail(log), log.end_lsn, log.next_seq),
      segments_(std::move(log.segments)),
      active_salt_(buffer_.segment().salt),
      tail_header_(segments_.back()->header()),
      written_{log.end_lsn, log.next_seq},
      durable_lsn_(log.end_lsn),
      witnessed_seq_(log.next_seq),
      prepare_at_lsn_(tail_header_.base_lsn + tail_header_.capacity_bytes / 2) {}

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Start(LogFiles* files,
                                                            const WalOptions& options,
                                                            RecoveredLog log) {
  // Direct I/O writes the last block again, so the buffer must hold what is in it.
  const uint64_t block_lsn = RoundDownToBlock(log.end_lsn);
  std::string block(log.end_lsn - block_lsn, '\0');
  EMDB_RETURN_IF_ERROR(log.segments.back()->Read(block_lsn, block.size(), block.data()));
  const bool resumes = log.report.was_clean;
  std::unique_ptr<LogWriter> writer(new LogWriter(files, options, std::move(log)));
  {
    MutexLock lock(&writer->mutex_);
    writer->buffer_.Load(block_lsn, block);
  }
  if (resumes) EMDB_RETURN_IF_ERROR(writer->Resume());
  writer->flusher_ = std::thread(&LogWriter::RunFlusher, writer.get());
  return writer;
}

absl::Status LogWriter::Resume() {
  // A new salt: the buffer's file may still hold frames that were appended behind this place, and
  // lost in a power cut.
  std::string_view blocks;
  uint64_t from_lsn = 0;
  {
    MutexLock lock(&mutex_);
    from_lsn = buffer_.tail_lsn();
    buffer_.AppendResume(RandomSalt(env_));
    blocks = buffer_.View(RoundDownToBlock(from_lsn), buffer_.tail_lsn());
  }
  const absl::Status status = output_.Resume(from_lsn, blocks);
  MutexLock lock(&mutex_);
  if (!status.ok()) return failure_ = status;
  written_.lsn = buffer_.tail_lsn();
  durable_lsn_ = written_.lsn;
  active_salt_ = buffer_.segment().salt;
  return absl::OkStatus();
}

LogWriter::~LogWriter() {
  // Whoever wants to know calls Close.
  Close().IgnoreError();
}

// Appending.

absl::Status LogWriter::CheckWritable() const {
  if (closed_) return absl::FailedPreconditionError("the log is closed");
  if (!failure_.ok()) return Failed(failure_);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> LogWriter::Append(std::string_view record) {
  if (record.size() > kMaxRecordBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a record of ", record.size(), " bytes, at most ", kMaxRecordBytes, " are possible"));
  }
  // Outside of the mutex: the part of the work that grows with the record, but for the copy.
  const uint32_t payload_crc = Crc32c(record);
  mutex_.Lock();
  if (record.size() > buffer_.max_payload_bytes()) [[unlikely]] {
    mutex_.Unlock();
    return AppendLarge(record, payload_crc);
  }
  const absl::Status room = MakeRoom(record.size());
  if (!room.ok()) [[unlikely]] {
    mutex_.Unlock();
    return room;
  }
  const uint64_t seq = buffer_.AppendRecord(record, payload_crc);
  NoteAppend(record.size());
  return FinishAppendAndUnlock(seq);
}

void LogWriter::NoteAppend(uint64_t payload_bytes) {
  ++stats_.records_appended;
  bytes_appended_ += payload_bytes;
  if (buffer_.tail_lsn() >= prepare_at_lsn_) [[unlikely]] {
    prepare_at_lsn_ = UINT64_MAX;
    preparer_.Request();
  }
}

absl::StatusOr<uint64_t> LogWriter::FinishAppendAndUnlock(uint64_t seq) {
  if (OnEachWrite()) {
    EMDB_RETURN_IF_ERROR(AwaitAndUnlock(seq));
    return seq;
  }
  ArmDeadline();
  const bool wake = FlusherOversleeps();
  mutex_.Unlock();
  if (wake) WakeFlusher();
  return seq;
}

absl::Status LogWriter::MakeRoom(uint64_t payload_bytes) {
  while (true) {
    EMDB_RETURN_IF_ERROR(CheckWritable());
    if (exclusive_) [[unlikely]] {
      WaitForChange();
      continue;
    }
    switch (buffer_.FitOf(payload_bytes)) {
      case AppendBuffer::Fit::kFits:
        return absl::OkStatus();
      case AppendBuffer::Fit::kBufferFull:
        EMDB_RETURN_IF_ERROR(WaitForSpace());
        break;
      case AppendBuffer::Fit::kSegmentFull:
        EMDB_RETURN_IF_ERROR(BeginSegment(FrameBytes(payload_bytes)));
        break;
    }
  }
}

// Returns when there may be more space in the buffer, or with the error of the write that was to
// make it.
absl::Status LogWriter::WaitForSpace() {
  ++stats_.append_waits;
  if (!queue_.owned()) {
    queue_.Own();
    const absl::Status status = RunCycleAndUnlock(false);
    mutex_.Lock();
    return status;
  }
  const uint64_t errors_before = write_errors_;
  WaitForChange();
  return write_errors_ == errors_before ? absl::OkStatus() : write_error_;
}

// Goes a step towards a new segment with room for `min_bytes` behind the tail: begins it, or waits
// for what is needed.
absl::Status LogWriter::BeginSegment(uint64_t min_bytes) {
  if (!buffer_.CanStartSegment()) return WaitForSpace();
  std::shared_ptr<Segment> segment = preparer_.TryTake(min_bytes);
  if (segment == nullptr) {
    mutex_.Unlock();
    const absl::Status status = preparer_.Await(min_bytes);
    mutex_.Lock();
    return status;
  }
  const SegmentEnd end = {buffer_.tail_lsn(), buffer_.next_seq()};
  tail_header_ = HeaderAfter(tail_header_, end, NextSalt(buffer_.segment().salt),
                             segment->header().capacity_bytes);
  rotations_.push_back({std::move(segment), tail_header_, end, bytes_appended_});
  buffer_.StartSegment(TailSegment::Of(tail_header_));
  prepare_at_lsn_ = tail_header_.base_lsn + tail_header_.capacity_bytes / 2;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> LogWriter::AppendLarge(std::string_view record, uint32_t payload_crc) {
  mutex_.Lock();
  while (exclusive_) WaitForChange();
  exclusive_ = true;
  AcquireIo();
  const absl::StatusOr<uint64_t> seq = WriteLarge(record, payload_crc);
  if (seq.ok()) NoteAppend(record.size());
  exclusive_ = false;
  FinishCycleAndUnlock(Cycle{}, seq.status());
  if (!seq.ok()) return seq;
  mutex_.Lock();
  return FinishAppendAndUnlock(*seq);
}

// Writes the record to the segment past the buffer, which it empties first. Nothing is appended on
// an error.
absl::StatusOr<uint64_t> LogWriter::WriteLarge(std::string_view record, uint32_t payload_crc) {
  EMDB_RETURN_IF_ERROR(CheckWritable());
  const uint64_t frame_bytes = FrameBytes(record.size());
  EMDB_RETURN_IF_ERROR(WriteOut({buffer_.tail_lsn(), buffer_.next_seq()}));
  while (buffer_.tail_lsn() + frame_bytes > buffer_.segment().end_lsn) {
    EMDB_RETURN_IF_ERROR(BeginSegment(frame_bytes));
  }
  EMDB_RETURN_IF_ERROR(WriteOut({buffer_.tail_lsn(), buffer_.next_seq()}));

  SegmentWriter::LongFrame frame;
  frame.lsn = buffer_.tail_lsn();
  frame.payload = record;
  frame.header = {.length = static_cast<uint32_t>(record.size()),
                  .kind = FrameKind::kRecord,
                  .seq = buffer_.next_seq()};
  frame.header.crc = FrameCrc(payload_crc, frame.header, {buffer_.segment().salt, frame.lsn});
  const std::string before(buffer_.View(RoundDownToBlock(frame.lsn), frame.lsn));
  std::string last_block;
  mutex_.Unlock();
  const absl::Status status = output_.WriteFrame(frame, before, &last_block);
  mutex_.Lock();
  EMDB_RETURN_IF_ERROR(status);
  buffer_.SkipRecord(frame.lsn + frame_bytes, last_block);
  written_ = {buffer_.tail_lsn(), buffer_.next_seq()};
  return frame.header.seq;
}

// Waiting.

void LogWriter::WaitForChange() {
  ++change_waiters_;
  changed_.Wait(&mutex_);
  --change_waiters_;
}

void LogWriter::NotifyChange() {
  if (change_waiters_ > 0) changed_.SignalAll();
}

absl::Status LogWriter::AwaitAndUnlock(uint64_t seq) {
  if (seq >= durable_seq() && !failure_.ok()) {
    const absl::Status status = Failed(failure_);
    mutex_.Unlock();
    return status;
  }
  while (true) {
    if (seq < durable_seq()) {
      mutex_.Unlock();
      return absl::OkStatus();
    }
    const CommitQueue::Ticket ticket = seq < running_seq_ ? queue_.JoinRunning() : queue_.Join();
    if (ticket.leads) return RunCycleAndUnlock(true);
    mutex_.Unlock();
    words_.Await(ticket.group);
    if (seq < durable_seq()) return absl::OkStatus();
    mutex_.Lock();
    const FailedGroup& failed = failed_groups_[ticket.group % failed_groups_.size()];
    absl::Status status = failure_;
    if (status.ok() && failed.group == ticket.group) status = failed.status;
    if (!status.ok()) {
      mutex_.Unlock();
      return status;
    }
  }
}

absl::Status LogWriter::WaitForSeq(uint64_t seq) {
  if (seq < durable_seq()) return absl::OkStatus();
  mutex_.Lock();
  if (seq < buffer_.next_seq()) return AwaitAndUnlock(seq);
  const uint64_t next_seq = buffer_.next_seq();
  mutex_.Unlock();
  return absl::InvalidArgumentError(
      absl::StrCat("wait for seq ", seq, ": the next one to be handed out is ", next_seq));
}

absl::Status LogWriter::Flush() {
  mutex_.Lock();
  const absl::Status status = CheckWritable();
  if (!status.ok() || buffer_.next_seq() == durable_seq()) {
    mutex_.Unlock();
    return status;
  }
  return AwaitAndUnlock(buffer_.next_seq() - 1);
}

void LogWriter::NotifyDurable(uint64_t seq, DurableCallbacks::Function done) {
  mutex_.Lock();
  absl::Status status;
  if (seq >= buffer_.next_seq()) {
    status = absl::InvalidArgumentError(absl::StrCat("seq ", seq, " was not handed out yet"));
  } else if (seq >= durable_seq()) {
    status = CheckWritable();
    if (status.ok()) {
      callbacks_.Add(seq, std::move(done));
      const bool wake = FlusherOversleeps();
      mutex_.Unlock();
      if (wake) WakeFlusher();
      return;
    }
  }
  mutex_.Unlock();
  done(status);
}

void LogWriter::RunCallbacks() {
  while (true) {
    std::vector<DurableCallbacks::Due> due;
    {
      MutexLock lock(&mutex_);
      due = callbacks_.TakeDue();
    }
    if (due.empty()) return;
    for (const DurableCallbacks::Due& call : due) call.function(call.status);
  }
}

// The I/O.

void LogWriter::AcquireIo() {
  if (!queue_.owned()) {
    queue_.Own();
    return;
  }
  ++claimants_;
  // Whoever finishes with the I/O leaves it owned, for one of those that wait here.
  while (!handed_over_) WaitForChange();
  handed_over_ = false;
  --claimants_;
}

absl::Status LogWriter::RunCycleAndUnlock(bool sync) {
  const Cycle cycle = StartCycle(sync);
  absl::Status status = WriteOut(cycle.end);
  if (status.ok() && sync) status = SyncOut(cycle);
  FinishCycleAndUnlock(cycle, status);
  return status;
}

LogWriter::Cycle LogWriter::StartCycle(bool sync) {
  // Only behind records that are written now: a witness alone would be written for nothing, and not
  // synced.
  const bool has_records = buffer_.next_seq() > written_.seq && !buffer_.SegmentIsEmpty();
  if (has_records && durable_seq() > witnessed_seq_ && buffer_.AppendWitness(durable_seq())) {
    witnessed_seq_ = durable_seq();
  }
  Cycle cycle = {.syncs = sync,
                 .end = {buffer_.tail_lsn(), buffer_.next_seq()},
                 .bytes_appended = bytes_appended_};
  if (sync) {
    cycle.group = queue_.StartSync();
    running_seq_ = cycle.end.seq;
    deadline_nanos_ = kNever;
  }
  return cycle;
}

absl::Status LogWriter::WriteOut(const SegmentEnd& end) {
  EMDB_RETURN_IF_ERROR(failure_);
  while (!rotations_.empty() && rotations_.front().old_end.lsn <= end.lsn) {
    EMDB_RETURN_IF_ERROR(WriteActive(rotations_.front().old_end));
    EMDB_RETURN_IF_ERROR(StartNextSegment());
  }
  return WriteActive(end);
}

absl::Status LogWriter::WriteActive(const SegmentEnd& end) {
  const uint64_t from_lsn = written_.lsn;
  if (from_lsn >= end.lsn) return absl::OkStatus();
  const std::string_view blocks = buffer_.View(RoundDownToBlock(from_lsn), end.lsn);
  mutex_.Unlock();
  const absl::Status status = output_.Write(from_lsn, blocks);
  mutex_.Lock();
  EMDB_RETURN_IF_ERROR(status);
  written_ = end;
  write_behind_ = true;
  buffer_.Free(end.lsn);
  NotifyChange();
  return absl::OkStatus();
}

absl::Status LogWriter::StartNextSegment() {
  const Rotation rotation = rotations_.front();
  mutex_.Unlock();
  const absl::Status status = output_.Start(rotation.segment, rotation.header);
  mutex_.Lock();
  EMDB_RETURN_IF_ERROR(status);
  const uint64_t base_lsn = rotation.header.base_lsn;
  AdvanceDurable({base_lsn, rotation.old_end.seq}, rotation.bytes_appended);
  if (Replaces(rotation.header, segments_.back()->header())) segments_.pop_back();
  segments_.push_back(rotation.segment);
  rotations_.pop_front();
  written_ = {base_lsn, rotation.old_end.seq};
  active_salt_ = rotation.header.salt;
  buffer_.Free(base_lsn);
  NotifyChange();
  return absl::OkStatus();
}

absl::Status LogWriter::SyncOut(const Cycle& cycle) {
  if (durable_seq() >= cycle.end.seq) return absl::OkStatus();
  mutex_.Unlock();
  const absl::Status status = output_.Sync();
  mutex_.Lock();
  if (status.ok()) AdvanceDurable(cycle.end, cycle.bytes_appended);
  return status;
}

void LogWriter::AdvanceDurable(const SegmentEnd& end, uint64_t bytes_appended) {
  durable_lsn_ = end.lsn;
  bytes_durable_ = bytes_appended;
  if (end.seq <= durable_seq()) return;
  ++stats_.groups;
  stats_.records_synced += end.seq - durable_seq();
  // Release: see durable_seq().
  durable_seq_.store(end.seq, std::memory_order_release);
}

void LogWriter::FinishCycleAndUnlock(const Cycle& cycle, const absl::Status& status) {
  callbacks_.Complete(durable_seq(), absl::OkStatus());
  if (!status.ok()) NoteFailure(cycle, status);
  running_seq_ = 0;
  const uint64_t sync_nanos = cycle.syncs && status.ok() ? output_.last_sync_nanos() : 0;
  const CommitQueue::Served served = queue_.Finish(env_->NowNanos(), sync_nanos);
  if (served.group_done) words_.SetDone(served.group);
  CommitQueue::Served aborted;
  if (!failure_.ok()) {
    aborted = queue_.Abort();
    words_.SetDone(aborted.group);
  }
  if (claimants_ > 0) {
    queue_.Own();
    handed_over_ = true;
  }
  NotifyChange();
  const bool runs_callbacks = callbacks_.StartRunning();
  const bool wakes_flusher = FlusherOversleeps();
  mutex_.Unlock();
  if (wakes_flusher) WakeFlusher();
  if (served.has_sleepers) words_.Wake(served.group);
  if (aborted.has_sleepers) words_.Wake(aborted.group);
  if (runs_callbacks) RunCallbacks();
}

void LogWriter::NoteFailure(const Cycle& cycle, const absl::Status& status) {
  write_error_ = status;
  ++write_errors_;
  write_behind_ = false;
  if (output_.failed()) {
    if (failure_.ok()) failure_ = status;
    callbacks_.Complete(UINT64_MAX, failure_);
    return;
  }
  if (!cycle.syncs) return;
  failed_groups_[cycle.group % failed_groups_.size()] = {cycle.group, status};
  callbacks_.Complete(cycle.end.seq, status);
  // Those who appended them are told that they failed, so they must not come back. No other record
  // can be among them: under this policy each waits in the group that its append joined.
  if (OnEachWrite()) VoidUnwritten(cycle.end.lsn);
  ArmDeadline();
}

void LogWriter::VoidUnwritten(uint64_t end_lsn) {
  uint64_t lsn = written_.lsn;
  uint64_t salt = active_salt_;
  for (const Rotation& rotation : rotations_) {
    if (rotation.old_end.lsn > end_lsn) break;
    buffer_.Void(lsn, rotation.old_end.lsn, salt);
    lsn = rotation.header.base_lsn;
    salt = rotation.header.salt;
  }
  if (lsn < end_lsn) buffer_.Void(lsn, end_lsn, salt);
}

// Rotation and truncation.

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
  std::vector<std::shared_ptr<Segment>> dropped;
  mutex_.Lock();
  AcquireIo();
  absl::Status status = CheckWritable();
  // Segments that were begun but not made yet are made, so that those in front of them count.
  if (status.ok()) status = WriteOut({buffer_.tail_lsn(), buffer_.next_seq()});
  size_t first = 0;
  while (first + 1 < segments_.size() && segments_[first + 1]->header().first_seq <= seq) ++first;
  if (status.ok() && first > 0) {
    const std::shared_ptr<Segment> segment = segments_[first];
    mutex_.Unlock();
    status = output_.MarkFirst(segment.get());
    mutex_.Lock();
    if (status.ok()) {
      const auto end = segments_.begin() + static_cast<ptrdiff_t>(first);
      dropped.assign(segments_.begin(), end);
      segments_.erase(segments_.begin(), end);
    }
  }
  FinishCycleAndUnlock(Cycle{}, status);
  if (!status.ok()) return status;
  return DropFiles(std::move(dropped));
}

absl::Status LogWriter::DropFiles(std::vector<std::shared_ptr<Segment>> dropped) {
  if (dropped.empty()) return absl::OkStatus();
  std::shared_ptr<Segment> recycled;
  for (std::shared_ptr<Segment>& segment : dropped) {
    // Nobody gets at it any more, so if nobody else has it now, nobody reads it.
    const bool unused = segment.use_count() == 1;
    const std::string path = segment->path();
    if (unused && recycled == nullptr && preparer_.Wants(segment->header().capacity_bytes)) {
      const std::string spare_path = files_->NewSparePath();
      EMDB_RETURN_IF_ERROR(files_->Rename(path, spare_path));
      segment->set_path(spare_path);
      recycled = std::move(segment);
    } else {
      EMDB_RETURN_IF_ERROR(files_->Remove(path));
    }
  }
  // Before the file is used again: under its old name it would be taken for a damaged part of the
  // log.
  EMDB_RETURN_IF_ERROR(files_->SyncDirectory());
  if (recycled == nullptr || preparer_.Offer(recycled)) return absl::OkStatus();
  return files_->Remove(recycled->path());
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
  std::shared_ptr<Segment> segment;
  while ((segment = preparer_.TryTake(0)) == nullptr) {
    mutex_.Unlock();
    const absl::Status status = preparer_.Await(0);
    mutex_.Lock();
    EMDB_RETURN_IF_ERROR(status);
  }
  const SegmentHeader header = {.store_id = tail_header_.store_id,
                                .salt = RandomSalt(env_),
                                .number = tail_header_.number + 1,
                                .first_seq = first_seq,
                                .base_lsn = buffer_.next_base_lsn(),
                                .capacity_bytes = segment->header().capacity_bytes};
  mutex_.Unlock();
  const absl::Status status = output_.StartOver(segment, header);
  mutex_.Lock();
  if (!status.ok()) {
    // The error that counts is the first one; the next open removes what is left.
    files_->Remove(segment->path()).IgnoreError();
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
  return absl::OkStatus();
}

// The flusher thread.

bool LogWriter::WriteBehindIsDue() const {
  if (!write_behind_) return false;
  return !rotations_.empty() || buffer_.tail_lsn() - written_.lsn >= buffer_.size_bytes() / 4;
}

uint64_t LogWriter::FlusherDueNanos() const {
  if (stop_) return 0;
  // Whoever owns the I/O asks again when it is done.
  if (queue_.owned()) return kNever;
  if (WriteBehindIsDue() || callbacks_.waiting()) return 0;
  return std::min(queue_.ServeAtNanos(), deadline_nanos_);
}

bool LogWriter::FlusherOversleeps() {
  const uint64_t due = FlusherDueNanos();
  if (due >= flusher_wakes_at_) return false;
  flusher_wakes_at_ = due;
  // Under the mutex, so relaxed: the flusher read it under the mutex before it went to sleep.
  flusher_word_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void LogWriter::WakeFlusher() { FutexWake(&flusher_word_, 1); }

void LogWriter::ArmDeadline() {
  const bool arms = options_.flush_policy.kind() == FlushPolicy::Kind::kGroup &&
                    deadline_nanos_ == kNever && failure_.ok();
  if (!arms) return;
  const int64_t wait =
      std::max<int64_t>(0, absl::ToInt64Nanoseconds(options_.flush_policy.max_wait()));
  deadline_nanos_ = env_->NowNanos() + static_cast<uint64_t>(wait);
}

void LogWriter::RunFlusher() {
  UsePreciseTimeouts();
  mutex_.Lock();
  while (!stop_) {
    const uint64_t due = FlusherDueNanos();
    const uint64_t now = due == kNever ? 0 : env_->NowNanos();
    if (due <= now) {
      ServeAndUnlock(now);
      mutex_.Lock();
      continue;
    }
    flusher_wakes_at_ = due;
    const uint32_t word = flusher_word_.load(std::memory_order_relaxed);
    mutex_.Unlock();
    FutexWait(&flusher_word_, word, due == kNever ? kNoTimeout : due - now);
    mutex_.Lock();
    flusher_wakes_at_ = 0;
  }
  mutex_.Unlock();
}

void LogWriter::ServeAndUnlock(uint64_t now_nanos) {
  if (queue_.ServeAtNanos() <= now_nanos) queue_.LingerTimedOut();
  const bool sync = queue_.waiters() > 0 || callbacks_.waiting() || deadline_nanos_ <= now_nanos;
  if (!sync && !WriteBehindIsDue()) {
    mutex_.Unlock();
    return;
  }
  queue_.Own();
  // Those who wait are told by their group; for the rest the next turn tries again.
  RunCycleAndUnlock(sync).IgnoreError();
}

void LogWriter::StopFlusher() {
  mutex_.Lock();
  stop_ = true;
  const bool wake = FlusherOversleeps();
  mutex_.Unlock();
  if (wake) WakeFlusher();
  if (flusher_.joinable()) flusher_.join();
}

absl::Status LogWriter::Close() {
  {
    MutexLock lock(&mutex_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
  }
  StopFlusher();
  preparer_.Stop();
  mutex_.Lock();
  AcquireIo();
  absl::Status status = failure_;
  if (status.ok()) {
    status = RunCycleAndUnlock(true);
    mutex_.Lock();
    AcquireIo();
  }
  const SegmentEnd end = written_;
  const uint64_t salt = active_salt_;
  const bool marks = status.ok() && segments_.back()->state().mark != SegmentMark::kClosed;
  mutex_.Unlock();
  if (marks) status = output_.MarkClosed(end, salt);
  mutex_.Lock();
  callbacks_.Complete(UINT64_MAX, status);
  FinishCycleAndUnlock(Cycle{}, status);
  return status;
}

// State.

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

uint64_t LogWriter::pending_bytes() const {
  MutexLock lock(&mutex_);
  return bytes_appended_ - bytes_durable_;
}

uint64_t LogWriter::next_seq() const {
  MutexLock lock(&mutex_);
  return buffer_.next_seq();
}

uint64_t LogWriter::first_seq() const {
  MutexLock lock(&mutex_);
  return segments_.front()->header().first_seq;
}

WalStats LogWriter::stats() const {
  const SegmentPreparer::Counts prepared = preparer_.counts();
  MutexLock lock(&mutex_);
  WalStats stats = stats_;
  // Counters on their own: no order with anything is needed.
  const auto load = [](const std::atomic<uint64_t>& n) {
    return n.load(std::memory_order_relaxed);
  };
  stats.bytes_appended = bytes_appended_;
  stats.bytes_written = load(output_.counts().bytes_written);
  stats.syncs = load(output_.counts().syncs);
  stats.sync_nanos = load(output_.counts().sync_nanos);
  stats.segments_created = prepared.created;
  stats.segments_recycled = prepared.recycled;
  stats.segments_live = segments_.size();
  return stats;
}

}  // namespace emdb
