#include "wal/log_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/crc32c.h"
#include "storage/status.h"
#include "storage/thread.h"
#include "wal/record_format.h"
#include "wal/segment_chain.h"

namespace emdb {
namespace {

SegmentSize SizeOfNext(const WalOptions& options, const SegmentHeader& last) {
  return SegmentSize({FirstCapacityBytes(options), FullCapacityBytes(options)},
                     last.capacity_bytes);
}

TailSegment SegmentOfTail(const RecoveredLog& log) {
  TailSegment segment = TailSegment::Of(log.segments.back()->header());
  if (log.was_closed) segment.salt = log.end_salt;
  return segment;
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
      preparer_(files, Segment::AccessFor(options.io_mode)),
      durable_seq_(log.next_seq),
      output_(files, log.segments.back()),
      buffer_(std::move(log.buffer), SegmentOfTail(log), log.end_lsn, log.next_seq),
      segments_(std::move(log.segments)),
      active_salt_(buffer_.segment().salt),
      tail_header_(segments_.back()->header()),
      size_(SizeOfNext(options, tail_header_)),
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
  const bool resumes = log.was_closed;
  std::unique_ptr<LogWriter> writer(new LogWriter(files, options, std::move(log)));
  {
    MutexLock lock(&writer->mutex_);
    writer->buffer_.Load(block_lsn, block);
  }
  if (resumes) EMDB_RETURN_IF_ERROR(writer->Resume());
  EMDB_ASSIGN_OR_RETURN(writer->flusher_, StartThread("log flusher", [log_writer = writer.get()] {
                          log_writer->RunFlusher();
                        }));
  return writer;
}

absl::Status LogWriter::Resume() {
  // A new salt: the buffer's file may still hold frames that were appended behind this place, and
  // lost in a power cut.
  const uint64_t salt = RandomSalt(env_);
  std::string_view blocks;
  {
    MutexLock lock(&mutex_);
    buffer_.AppendResume(salt);
    blocks = buffer_.View(RoundDownToBlock(written_.lsn), buffer_.tail_lsn());
  }
  const absl::Status status = output_.Resume(blocks, salt);
  MutexLock lock(&mutex_);
  if (!status.ok()) return failure_ = status;
  written_.lsn = buffer_.tail_lsn();
  durable_lsn_ = written_.lsn;
  active_salt_ = salt;
  return absl::OkStatus();
}

LogWriter::~LogWriter() {
  // Whoever wants to know calls Close.
  Close().IgnoreError();
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
  mutex_.Unlock();
  if (status.ok()) status = output_.MarkClosed(end, salt);
  mutex_.Lock();
  callbacks_.Complete(UINT64_MAX, status);
  FinishCycleAndUnlock(Cycle{}, status);
  return status;
}

// Appending.

absl::Status LogWriter::CheckWritable() const {
  if (closed_) return absl::FailedPreconditionError("the log is closed");
  if (!failure_.ok()) return Failed(failure_);
  return absl::OkStatus();
}

// The seq behind a record must be one, too: a witness, a resume frame or the next segment bears it.
absl::Status LogWriter::CheckAppendable() const {
  EMDB_RETURN_IF_ERROR(CheckWritable());
  if (buffer_.next_seq() < kMaxSeq) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("the log has no seq left for the record: seqs end below ", kMaxSeq));
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
    preparer_.Request(size_.CapacityAfter(tail_bytes()));
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
    EMDB_RETURN_IF_ERROR(CheckAppendable());
    if (exclusive_) [[unlikely]] {
      WaitForChange();
      continue;
    }
    if (write_failed_ && HasDeadlines()) [[unlikely]] {
      // OK would promise that the record is durable in time.
      EMDB_RETURN_IF_ERROR(WriteOrWait());
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

absl::Status LogWriter::WaitForSpace() {
  ++stats_.append_waits;
  return WriteOrWait();
}

// Returns when more may have been written out of the buffer, or with the error of that write.
absl::Status LogWriter::WriteOrWait() {
  if (queue_.owned()) {
    WaitForChange();
    return absl::OkStatus();
  }
  queue_.Own();
  absl::Status status = RunCycleAndUnlock(false);
  mutex_.Lock();
  return status;
}

absl::StatusOr<uint64_t> LogWriter::AppendLarge(std::string_view record, uint32_t payload_crc) {
  mutex_.Lock();
  while (exclusive_) WaitForChange();
  exclusive_ = true;
  AcquireIo();
  absl::StatusOr<uint64_t> seq = WriteLarge(record, payload_crc);
  if (seq.ok()) NoteAppend(record.size());
  exclusive_ = false;
  FinishCycleAndUnlock(Cycle{}, seq.status());
  if (!seq.ok()) return seq;
  mutex_.Lock();
  return FinishAppendAndUnlock(*seq);
}

// Under a policy with deadlines, makes durable what is appended: while the large record is written
// nobody else can. Those who wait for it are woken behind that, as they would be without this.
absl::Status LogWriter::SyncInFrontOfLarge() {
  if (!HasDeadlines()) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(WriteAll());
  // Nothing is appended meanwhile, so that this is all.
  deadline_nanos_ = kNever;
  return SyncOut({.end = written_, .bytes_appended = bytes_appended_});
}

// Writes the record to the segment past the buffer, which it empties first. Nothing is appended on
// an error.
absl::StatusOr<uint64_t> LogWriter::WriteLarge(std::string_view record, uint32_t payload_crc) {
  EMDB_RETURN_IF_ERROR(CheckAppendable());
  EMDB_RETURN_IF_ERROR(SyncInFrontOfLarge());
  const uint64_t frame_bytes = FrameBytes(record.size());
  // In front of the record, which is written by itself: the next turn finds nothing to write, and
  // puts no witness behind it.
  Witness();
  EMDB_RETURN_IF_ERROR(WriteAll());
  while (buffer_.tail_lsn() + frame_bytes > buffer_.segment().end_lsn) {
    EMDB_RETURN_IF_ERROR(BeginSegment(frame_bytes));
  }
  EMDB_RETURN_IF_ERROR(WriteAll());

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
  const bool is_durable = seq < durable_seq();
  absl::Status status = is_durable ? absl::OkStatus() : CheckWritable();
  if (is_durable || !status.ok()) {
    mutex_.Unlock();
    return status;
  }
  const CommitQueue::Ticket ticket = seq < running_seq_ ? queue_.JoinRunning() : queue_.Join();
  return ticket.leads ? LeadAndUnlock(seq) : SleepAndUnlock(seq, ticket.group);
}

absl::Status LogWriter::LeadAndUnlock(uint64_t seq) {
  const Cycle cycle = StartCycle(true);
  const absl::Status status = RunCycle(cycle);
  // Asked before anybody else's turn, which may make a void durable. The error may be one of what
  // is behind.
  const bool is_durable = seq < durable_seq();
  FinishCycleAndUnlock(cycle, status);
  return is_durable ? absl::OkStatus() : status;
}

absl::Status LogWriter::SleepAndUnlock(uint64_t seq, CommitQueue::Group group) {
  mutex_.Unlock();
  words_.Await(group);
  // Without the mutex, which all who were served would want at once.
  if (!failed_groups_.Any() && seq < durable_seq()) return absl::OkStatus();
  MutexLock lock(&mutex_);
  // Before durable_seq, which may have passed the void that the record was made.
  const std::optional<absl::Status> failed = failed_groups_.Tell(group, seq);
  if (failed.has_value()) return *failed;
  if (seq < durable_seq()) return absl::OkStatus();
  EMDB_CHECK(!failure_.ok());
  return failure_;
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
  absl::Status status = CheckWritable();
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
      if (seq >= running_seq_) queue_.JoinCallback();
      const bool wake = FlusherOversleeps();
      mutex_.Unlock();
      if (wake) WakeFlusher();
      return;
    }
  }
  mutex_.Unlock();
  done(status);
}

// State.

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
  stats.bytes_appended = bytes_appended_;
  // On its own: no order with anything is needed.
  stats.bytes_written = output_.counts().bytes_written.load(std::memory_order_relaxed);
  output_.counts().sync_latency.AddTo(&stats.sync_latency);
  stats.syncs = stats.sync_latency.count;
  stats.segments_created = prepared.created;
  stats.segments_recycled = prepared.recycled;
  stats.segments_live = segments_.size();
  return stats;
}

}  // namespace emdb
