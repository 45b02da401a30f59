// LogWriter: doing the I/O, and the flusher thread. The other parts are in log_writer.cc and
// log_writer_segments.cc.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "storage/status.h"
#include "wal/futex.h"
#include "wal/log_writer.h"

namespace emdb {
namespace {

// From a write that failed to when the flusher tries it again.
constexpr uint64_t kMinRetryNanos = 1'000'000;

}  // namespace

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
  absl::Status status = RunCycle(cycle);
  FinishCycleAndUnlock(cycle, status);
  return status;
}

// In a segment without records the chain is witness to all that is durable.
void LogWriter::Witness() {
  if (buffer_.SegmentIsEmpty() || durable_seq() <= witnessed_seq_) return;
  if (buffer_.AppendWitness(durable_seq())) witnessed_seq_ = durable_seq();
}

// Only behind records that are written now: a witness alone would be written for nothing, and not
// synced.
void LogWriter::WitnessBehindRecords() {
  if (buffer_.next_seq() > written_.seq) Witness();
}

LogWriter::Cycle LogWriter::StartCycle(bool sync) {
  WitnessBehindRecords();
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

absl::Status LogWriter::RunCycle(const Cycle& cycle) {
  absl::Status status = WriteOut(cycle.end);
  if (!cycle.syncs) return status;
  if (status.ok()) return SyncOut(cycle);
  if (OnEachWrite() && !output_.failed()) {
    // Those whose records will be made void are told so. What is written cannot be made void any
    // more, so its appenders must be told that it is durable.
    EMDB_RETURN_IF_ERROR(SyncOut({.end = written_, .bytes_appended = bytes_durable_}));
  }
  return status;
}

absl::Status LogWriter::WriteAll() {
  WitnessBehindRecords();
  return WriteOut({buffer_.tail_lsn(), buffer_.next_seq()});
}

absl::Status LogWriter::WriteOut(const SegmentEnd& end) {
  EMDB_RETURN_IF_ERROR(failure_);
  while (!rotations_.empty() && rotations_.front().old_end.lsn <= end.lsn) {
    EMDB_RETURN_IF_ERROR(WriteActive(rotations_.front().old_end));
    EMDB_RETURN_IF_ERROR(StartNextSegment());
  }
  EMDB_RETURN_IF_ERROR(WriteActive(end));
  write_failed_ = false;
  return absl::OkStatus();
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
  absl::Status status = output_.Sync();
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
  if (served.has_sleepers) words_.Wake(served.group);
  if (aborted.has_sleepers) words_.Wake(aborted.group);
  // Behind those who were served: it would start the next sync while they are still being woken.
  if (wakes_flusher) WakeFlusher();
  if (runs_callbacks) RunCallbacks();
}

void LogWriter::NoteFailure(const Cycle& cycle, const absl::Status& status) {
  write_failed_ = true;
  if (output_.failed()) {
    if (failure_.ok()) failure_ = status;
    // Release: see failed(). Before anyone is told.
    failed_.store(true, std::memory_order_release);
    callbacks_.Complete(UINT64_MAX, failure_);
    return;
  }
  if (!cycle.syncs) return;
  failed_groups_.Add(cycle.group, status, durable_seq(), queue_.sleepers());
  callbacks_.Complete(cycle.end.seq, status);
  // Those who appended them are told that they failed, so they must not come back. No other record
  // can be among them: under this policy each waits in the group that its append joined.
  if (OnEachWrite()) VoidUnwritten(cycle.end.lsn);
  ArmDeadline();
  if (deadline_nanos_ == kNever) return;
  // Or a disk that takes nothing would be asked all the time, if max_wait is 0.
  deadline_nanos_ = std::max(deadline_nanos_, env_->NowNanos() + kMinRetryNanos);
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

void LogWriter::RunCallbacks() {
  bool goes_on = true;
  bool wakes_flusher = false;
  while (goes_on) {
    std::vector<DurableCallbacks::Due> due;
    {
      MutexLock lock(&mutex_);
      due = callbacks_.TakeDue();
    }
    for (const DurableCallbacks::Due& call : due) call.function(call.status);
    MutexLock lock(&mutex_);
    callbacks_.StopRunning();
    // What others have made due meanwhile is for the flusher, while there is one: whoever waited
    // for a record of its own would not get away from a stream of them.
    goes_on = stop_ && callbacks_.StartRunning();
    wakes_flusher = !goes_on && FlusherOversleeps();
    if (!callbacks_.Waits()) queue_.CallbacksRan(env_->NowNanos());
  }
  if (wakes_flusher) WakeFlusher();
}

// The flusher thread.

bool LogWriter::WriteBehindIsDue() const {
  if (write_failed_) return false;
  return !rotations_.empty() || buffer_.tail_lsn() - written_.lsn >= buffer_.size_bytes() / 4;
}

uint64_t LogWriter::FlusherDueNanos() const {
  if (stop_ || callbacks_.Waits()) return 0;
  // Whoever owns the I/O asks again when it is done.
  if (queue_.owned()) return kNever;
  if (WriteBehindIsDue()) return 0;
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
  const bool arms = HasDeadlines() && deadline_nanos_ == kNever && failure_.ok();
  if (arms) deadline_nanos_ = DeadlineAfter(env_->NowNanos());
}

uint64_t LogWriter::DeadlineAfter(uint64_t now_nanos) const {
  if (!HasDeadlines()) return kNever;
  const int64_t wait =
      std::max<int64_t>(0, absl::ToInt64Nanoseconds(options_.flush_policy.max_wait()));
  return now_nanos + static_cast<uint64_t>(wait);
}

void LogWriter::RunFlusher() {
  UsePreciseTimeouts();
  mutex_.Lock();
  uint64_t records_seen = 0;
  while (!stop_) {
    const uint64_t due = FlusherDueNanos();
    const uint64_t now = env_->NowNanos();
    if (due <= now) {
      ServeAndUnlock(now);
      mutex_.Lock();
      continue;
    }
    // While records come in it wakes in time for the deadline that the next one sets: whenever a
    // sync has just been, that append would have to wake it otherwise.
    const bool expects_more = stats_.records_appended != records_seen;
    records_seen = stats_.records_appended;
    const uint64_t wakes_at = expects_more ? std::min(due, DeadlineAfter(now)) : due;
    flusher_wakes_at_ = wakes_at;
    const uint32_t word = flusher_word_.load(std::memory_order_relaxed);
    mutex_.Unlock();
    FutexWait(&flusher_word_, word, wakes_at == kNever ? kNoTimeout : wakes_at - now);
    mutex_.Lock();
    flusher_wakes_at_ = 0;
  }
  mutex_.Unlock();
}

void LogWriter::ServeAndUnlock(uint64_t now_nanos) {
  if (callbacks_.StartRunning()) {
    mutex_.Unlock();
    RunCallbacks();
    return;
  }
  if (queue_.ServeAtNanos() <= now_nanos) queue_.LingerTimedOut();
  const bool sync = queue_.waiters() > 0 || deadline_nanos_ <= now_nanos;
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

}  // namespace emdb
