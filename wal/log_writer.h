// LogWriter: a log that is open for writing: appends, group commit, rotation, truncation.
//
// Appenders copy their records into the append buffer under the mutex; checksums of the records are
// made outside. One thread at a time owns the I/O (commit_queue.h): it writes what the buffer holds
// to the active segment, starts the segments that were begun in between, and syncs, all without the
// mutex, so that appends go on. The flusher thread owns it when a deadline of FlushPolicy::Group, a
// callback or a filling buffer asks for it, and when nobody else serves those who wait.
//
// The code is in three files: log_writer.cc (opening, appending, waiting), log_writer_io.cc (the
// I/O and the flusher), log_writer_segments.cc (rotation, truncation, snapshots).
//
// Thread safe, but for Truncate and Close. Lock order: mutex_, then the SegmentPreparer's. Nothing
// is called back and no I/O is done under mutex_.
//
// Invariants, with the mutex held:
//  1. durable_lsn_ <= written_.lsn <= buffer_.tail_lsn(); what is below written_.lsn is in the
//     segments' files.
//  2. written_.lsn is at the start of a frame or of a segment, in segments_.back(), the segment of
//     output_.active().
//  3. rotations_ are the segments behind that one which were begun, in order; the tail is in the
//     last of them. All but the last have records, so each salt is one step from a frame that
//     recovery knows.
//  4. failure_ is OK until output_ has failed; from then on nothing becomes durable.

#ifndef EMDB_WAL_LOG_WRITER_H_
#define EMDB_WAL_LOG_WRITER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/mutex.h"
#include "wal/append_buffer.h"
#include "wal/commit_queue.h"
#include "wal/durable_callbacks.h"
#include "wal/failed_groups.h"
#include "wal/log_files.h"
#include "wal/log_snapshot.h"
#include "wal/options.h"
#include "wal/recovery.h"
#include "wal/segment_preparer.h"
#include "wal/segment_size.h"
#include "wal/segment_writer.h"
#include "wal/wal.h"

namespace emdb {

class LogWriter {
 public:
  // Goes on with `log`. `files` must outlive it. If the flusher cannot be started the log is closed
  // again, with all that was in it.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Start(LogFiles* files,
                                                          const WalOptions& options,
                                                          RecoveredLog log);
  // Closes.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // The contracts of these are in wal.h.
  absl::StatusOr<uint64_t> Append(std::string_view record) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WaitForSeq(uint64_t seq) ABSL_LOCKS_EXCLUDED(mutex_);
  void NotifyDurable(uint64_t seq, DurableCallbacks::Function done) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Flush() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<uint64_t> Rotate() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TruncateBefore(uint64_t seq) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Truncate(uint64_t first_seq) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // What a reader that starts now sees: all that is appended, or, after a failure, all that is
  // durable.
  LogSnapshot Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t pending_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t next_seq() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t first_seq() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Acquire: who sees a seq as durable sees what its durability stands for.
  uint64_t durable_seq() const { return durable_seq_.load(std::memory_order_acquire); }
  // Acquire: who sees it sees the last durable_seq.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  WalStats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A segment that was begun in the buffer, and that the I/O is still to make.
  struct Rotation {
    std::shared_ptr<Segment> segment;
    SegmentHeader header;
    SegmentEnd old_end;           // of the segment before
    uint64_t bytes_appended = 0;  // up to there
  };
  // What one turn of the I/O covers: all that had been appended when it began.
  struct Cycle {
    bool syncs = false;
    CommitQueue::Group group = 0;  // if it syncs
    SegmentEnd end;
    uint64_t bytes_appended = 0;
  };

  LogWriter(LogFiles* files, const WalOptions& options, RecoveredLog log);
  // Goes on in the segment that the log was closed in.
  absl::Status Resume() ABSL_LOCKS_EXCLUDED(mutex_);

  // Appending.
  bool OnEachWrite() const {
    return options_.flush_policy.kind() == FlushPolicy::Kind::kOnEachWrite;
  }
  bool HasDeadlines() const { return options_.flush_policy.kind() == FlushPolicy::Kind::kGroup; }
  absl::Status CheckWritable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckAppendable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeRoom(uint64_t payload_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WaitForSpace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteOrWait() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status BeginSegment(uint64_t min_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginIn(std::shared_ptr<Segment> segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t tail_bytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return buffer_.tail_lsn() - tail_header_.base_lsn;
  }
  void NoteAppend(uint64_t payload_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint64_t> FinishAppendAndUnlock(uint64_t seq) ABSL_UNLOCK_FUNCTION(mutex_);
  absl::StatusOr<uint64_t> AppendLarge(std::string_view record, uint32_t payload_crc)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SyncInFrontOfLarge() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint64_t> WriteLarge(std::string_view record, uint32_t payload_crc)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Waiting.
  absl::Status AwaitAndUnlock(uint64_t seq) ABSL_UNLOCK_FUNCTION(mutex_);
  absl::Status LeadAndUnlock(uint64_t seq) ABSL_UNLOCK_FUNCTION(mutex_);
  absl::Status SleepAndUnlock(uint64_t seq, CommitQueue::Group group) ABSL_UNLOCK_FUNCTION(mutex_);
  void WaitForChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NotifyChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The I/O. All but AcquireIo are for its owner; some let go of the mutex for a time.
  void AcquireIo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunCycleAndUnlock(bool sync) ABSL_UNLOCK_FUNCTION(mutex_);
  Cycle StartCycle(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunCycle(const Cycle& cycle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Appends a witness if one is due; the second, only if it is written with records.
  void Witness() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WitnessBehindRecords() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes all that is appended.
  absl::Status WriteAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteOut(const SegmentEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteActive(const SegmentEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StartNextSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status SyncOut(const Cycle& cycle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AdvanceDurable(const SegmentEnd& end, uint64_t bytes_appended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishCycleAndUnlock(const Cycle& cycle, const absl::Status& status)
      ABSL_UNLOCK_FUNCTION(mutex_);
  void NoteFailure(const Cycle& cycle, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void VoidUnwritten(uint64_t end_lsn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunCallbacks() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status StartOver(uint64_t first_seq, std::vector<std::shared_ptr<Segment>>* dropped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Segments that are no part of the log any more.
  struct Dropped {
    std::vector<std::shared_ptr<Segment>> segments;
    SegmentSize size;  // what suits the log
    bool log_is_busy = false;
  };
  absl::Status DropFiles(Dropped dropped) ABSL_LOCKS_EXCLUDED(mutex_);
  bool CanShrink() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ShrinkIfEmpty() ABSL_LOCKS_EXCLUDED(mutex_);

  // The flusher thread.
  void RunFlusher() ABSL_LOCKS_EXCLUDED(mutex_);
  void ServeAndUnlock(uint64_t now_nanos) ABSL_UNLOCK_FUNCTION(mutex_);
  bool WriteBehindIsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t FlusherDueNanos() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True if the flusher sleeps past the time it is due: the caller is to wake it, without the
  // mutex.
  bool FlusherOversleeps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeFlusher();
  void ArmDeadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When what is appended now must be durable; kNever if the policy does not say.
  uint64_t DeadlineAfter(uint64_t now_nanos) const;
  void StopFlusher() ABSL_LOCKS_EXCLUDED(mutex_);

  static constexpr uint64_t kNever = CommitQueue::kNever;

  LogFiles* const files_;
  Env* const env_;
  const WalOptions options_;
  SegmentPreparer preparer_;
  CommitQueue::Words words_;
  std::atomic<uint64_t> durable_seq_;
  std::atomic<bool> failed_{false};  // failure_ is not OK
  FailedGroups failed_groups_;       // changed and asked under mutex_, but for Any
  std::atomic<uint32_t> flusher_word_{0};
  std::thread flusher_;
  SegmentWriter output_;  // of the owner of the I/O

  mutable Mutex mutex_;
  CondVar changed_;  // space, ownership or exclusive_ may have changed
  uint32_t change_waiters_ ABSL_GUARDED_BY(mutex_) = 0;
  AppendBuffer buffer_ ABSL_GUARDED_BY(mutex_);
  CommitQueue queue_ ABSL_GUARDED_BY(mutex_);
  DurableCallbacks callbacks_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mutex_);
  std::deque<Rotation> rotations_ ABSL_GUARDED_BY(mutex_);
  uint64_t active_salt_ ABSL_GUARDED_BY(mutex_);       // of frames at written_
  SegmentHeader tail_header_ ABSL_GUARDED_BY(mutex_);  // of the segment the tail is in
  SegmentSize size_ ABSL_GUARDED_BY(mutex_);           // of segments to come
  SegmentEnd written_ ABSL_GUARDED_BY(mutex_);
  uint64_t durable_lsn_ ABSL_GUARDED_BY(mutex_);
  uint64_t witnessed_seq_ ABSL_GUARDED_BY(mutex_);
  uint64_t running_seq_ ABSL_GUARDED_BY(mutex_) =
      0;  // the running sync covers what is below; 0: none
  uint64_t deadline_nanos_ ABSL_GUARDED_BY(mutex_) = kNever;
  uint64_t prepare_at_lsn_ ABSL_GUARDED_BY(mutex_);
  uint32_t claimants_ ABSL_GUARDED_BY(mutex_) = 0;  // wait in AcquireIo
  bool handed_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool exclusive_ ABSL_GUARDED_BY(mutex_) = false;  // appends wait
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);    // the first final error
  // A turn of the I/O has failed, for whatever reason, and none has written all it was to since.
  // Until then nothing is written ahead, and under FlushPolicy::Group an append tries first.
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t flusher_wakes_at_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: it is awake
  uint64_t bytes_appended_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_durable_ ABSL_GUARDED_BY(mutex_) = 0;
  WalStats stats_ ABSL_GUARDED_BY(mutex_);  // what output_ and preparer_ do not count
};

}  // namespace emdb

#endif  // EMDB_WAL_LOG_WRITER_H_
