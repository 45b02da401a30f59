// SegmentPreparer: has the next segment's file ready before it is needed, so that starting a
// segment costs nobody a wait for the disk.
//
// A new file is reserved first (that is when no space shows), and then overwritten with zeros in
// small, paced pieces in the background: writes to blocks that were written before change no
// file-system metadata. Who needs it earlier waits for the piece that is being written and synced,
// if one is, and gets it as it is; the rest are reserved, unwritten blocks, whose first sync costs
// a little more. A sealed segment that is no longer needed is better still, and is used again. How
// large they are is decided by the caller (segment_size.h). At most one of each is kept ready.
//
// Thread safe. Its thread starts with the first request. Its mutex is taken under the log's, never
// the other way round.

#ifndef EMDB_WAL_SEGMENT_PREPARER_H_
#define EMDB_WAL_SEGMENT_PREPARER_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "storage/mutex.h"
#include "wal/log_files.h"
#include "wal/segment.h"

namespace emdb {

class SegmentPreparer {
 public:
  struct Need {
    uint64_t min_bytes = 0;   // that it must have room for
    uint64_t good_bytes = 0;  // that it has room for if it is made now
  };
  struct Counts {
    uint64_t created = 0;
    uint64_t recycled = 0;
  };

  // `files` must outlive it.
  SegmentPreparer(LogFiles* files, Segment::Access access);
  // Stops.
  ~SegmentPreparer();

  // Has a segment with room for `good_bytes` made in the background, if none is ready.
  void Request(uint64_t good_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // A ready segment with room for at least `min_bytes`, in memory not yet renewed; null if there is
  // none. Waits for no I/O.
  std::shared_ptr<Segment> TryTake(uint64_t min_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when TryTake(need.min_bytes) can be expected to succeed, or with the error of the
  // attempt to make one, or to start the thread that makes it. Each call is, or joins, an attempt.
  absl::Status Await(const Need& need) ABSL_LOCKS_EXCLUDED(mutex_);

  // True if Offer would take a segment.
  bool HasPlace() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives back a segment that nobody uses, under a spare name that is durable. False: not wanted.
  bool Offer(const std::shared_ptr<Segment>& segment) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Keep {
    uint64_t max_capacity_bytes = 0;
    bool only_one = false;
  };
  // Removes the files of ready segments that are larger, or, with only_one, more than that. A file
  // that is being made is kept only if somebody waits for it or it is not too large.
  void GiveBack(const Keep& keep) ABSL_LOCKS_EXCLUDED(mutex_);

  // Stops the thread and removes the files of ready segments. Later calls find nothing and get
  // FailedPrecondition.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ZeroNextPiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // ResourceExhausted if the thread cannot be started.
  absl::Status Want(const Need& need) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanTake(uint64_t min_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NeedsZeros() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Discard(std::shared_ptr<Segment> segment) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets go of the mutex for a time.
  void UnlockAndDiscard(std::shared_ptr<Segment> segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  LogFiles* const files_;
  const Segment::Access access_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<Segment> fresh_ ABSL_GUARDED_BY(mutex_);
  uint64_t zeroed_ ABSL_GUARDED_BY(mutex_) = 0;   // bytes of fresh_
  bool zeroing_ ABSL_GUARDED_BY(mutex_) = false;  // fresh_ is in use by the thread
  std::shared_ptr<Segment> recycled_ ABSL_GUARDED_BY(mutex_);
  uint64_t wanted_capacity_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: no file is to be made
  uint64_t attempts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_attempt_ ABSL_GUARDED_BY(mutex_);
  uint64_t awaiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_PREPARER_H_
