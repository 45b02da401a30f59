// PublishQueue: decides when readers may see a write. A write becomes visible when it is as durable
// as it asked to be and all writes before it are visible; so the queue holds the writes that are in
// the memtable and behind one that still waits for the disk.
//
// Writes come in under the Db's write lock, in order of seq. Whoever finds out that records have
// become durable makes all that can be seen visible at once; the others find theirs done with one
// atomic load.
//
// Thread safe. Lock order: the Db's write lock, then mutex_. Nobody waits for the log under either
// of them in here; the log's own threads (WriteAsync) take only mutex_.
//
// Invariants:
//  1. Everything below visible_seq is in a memtable, durable if it asked to be, or void because it
//     failed.
//  2. visible_seq never goes back.
//  3. Once a sync has failed only what is durable or void is passed. So nothing is acknowledged
//     after it, a write that asked for no sync included; each thread makes its own write void. A
//     failed write of the log is tried again by it and is nobody's failure but its waiter's.

#ifndef EMDB_KV_PUBLISH_QUEUE_H_
#define EMDB_KV_PUBLISH_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "kv/db_log.h"
#include "storage/mutex.h"

namespace emdb {

class PublishQueue {
 public:
  // Everything below `visible_seq` is visible.
  PublishQueue(DbLog* log, uint64_t visible_seq) : log_(log), visible_seq_(visible_seq) {}
  PublishQueue(const PublishQueue&) = delete;
  PublishQueue& operator=(const PublishQueue&) = delete;

  uint64_t visible_seq() const { return visible_seq_.load(std::memory_order_acquire); }

  // Under the write lock: the write `seq` is in the memtable. True: it is visible. False: call
  // Wait, or Resolve when the log has said what became of it.
  bool Publish(uint64_t seq, bool must_be_durable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until the unsynced write `seq` is visible. If a sync has failed before that could be, it
  // never will be: `undo` has been called, which makes its records void, and the log's error is
  // returned.
  absl::Status Wait(uint64_t seq, absl::FunctionRef<void()> undo) ABSL_LOCKS_EXCLUDED(mutex_);

  // The log says `durable` of the write `seq` that must be durable. Returns what its caller is to
  // be told: OK, and it is visible; or an error, and it never will be: `undo` has been called,
  // which makes its records void.
  absl::Status Resolve(uint64_t seq, const absl::Status& durable, absl::FunctionRef<void()> undo)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until everything below `seq` is visible. It has been written, and was durable at the
  // call.
  void WaitUntilVisible(uint64_t seq) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class State { kUnsynced, kWaitsForDisk, kVoid };
  struct Pending {
    uint64_t seq;
    State state;
  };

  // Makes visible what can be.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The write will never be durable, and so never be acknowledged.
  bool IsLost(uint64_t seq) const;
  void MakeVoid(uint64_t seq, absl::FunctionRef<void()> undo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  DbLog* const log_;
  // On cache lines of their own: every read loads the first.
  alignas(64) std::atomic<uint64_t> visible_seq_;
  alignas(64) std::atomic<bool> has_pending_{false};
  Mutex mutex_;
  CondVar advanced_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);    // by seq, ascending
  uint64_t last_waiting_seq_ ABSL_GUARDED_BY(mutex_) = 0;  // the newest that waits for disk
  uint32_t sleepers_ ABSL_GUARDED_BY(mutex_) = 0;          // on advanced_
};

}  // namespace emdb

#endif  // EMDB_KV_PUBLISH_QUEUE_H_
