// Checkpointer: the thread that moves frozen memtables to the page store, oldest first.
//
// One checkpoint: make everything below the memtable's end_seq durable in the log; wait until it is
// visible (or void); merge it into the tree with next_seq = end_seq; publish the state without the
// memtable and with the new tree; drop the log below. A crash between any two steps is safe: redo
// starts at the next_seq of the newest durable header.
//
// When there is no space, or the log had an error after which it goes on, the memtable stays and
// the attempt is repeated after a pause of 100 ms, which grows to 500 ms from one to the next;
// writes that need its room get the error meanwhile. So they work again half a second after there
// is space, and the time of an attempt, without anyone doing anything; RetryNow shortens that. Any
// other error is final: nothing more is checkpointed and writes are refused, until the store is
// opened again and recovers from the log, which keeps everything that is not in the page store.
//
// When nothing is written for a while after a checkpoint, a bulk load or compacting, the page
// store's file is made shorter, step by step (PageStore::Tidy). An error of that is counted, and
// ends it until the next checkpoint.
//
// Thread safe. Its mutex is held over no I/O.

#ifndef EMDB_KV_CHECKPOINTER_H_
#define EMDB_KV_CHECKPOINTER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/db_log.h"
#include "kv/fair_mutex.h"
#include "kv/publish_queue.h"
#include "kv/read_state.h"
#include "kv/statistics.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "storage/mutex.h"

namespace emdb {

class Checkpointer {
 public:
  // One that is being merged beside the active one: twice the memtable's size in all.
  static constexpr size_t kMaxFrozenMemtables = 1;

  struct Parts {
    Env* env;
    DbLog* log;
    PageStore* store;
    ReadStates* states;
    PublishQueue* queue;
    Statistics* statistics;
    size_t memtable_size;
  };

  // All parts outlive it. The current state may have frozen memtables. ResourceExhausted if its
  // thread cannot be started.
  static absl::StatusOr<std::unique_ptr<Checkpointer>> Start(const Parts& parts);
  // Lets a running checkpoint finish.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // The current state has one more frozen memtable.
  void Schedule() ABSL_LOCKS_EXCLUDED(mutex_);
  // Tries again at once what is to be repeated, after the attempt that is under way.
  void RetryNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until another memtable may be frozen. The error that keeps it from being so.
  absl::Status WaitForRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until everything below `seq` is in the page store, or an attempt has failed.
  absl::Status WaitForCheckpoint(uint64_t seq) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `work` on the page store while no checkpoint runs, then publishes its newest tree.
  absl::Status RunExclusively(absl::FunctionRef<absl::Status()> work)
      ABSL_LOCKS_EXCLUDED(maintenance_mutex_);
  // Makes the page store's newest tree the one that is read, and returns when nothing but snapshots
  // and iterators sees an older one, whose pages can be used again then. For `work`, between its
  // steps.
  void PublishTree() ABSL_LOCKS_EXCLUDED(mutex_);

  // OK, or why writes are refused.
  absl::Status health() const {
    return is_broken_.load(std::memory_order_acquire) ? final_error_ : absl::OkStatus();
  }
  // Whether a merge runs, and how far it is, 0 to 1. When the last change is merged the last pages
  // are still to be written and synced, which takes a while without showing how far it is.
  bool is_merging() const { return is_merging_.load(std::memory_order_relaxed); }
  double progress() const { return progress_.load(std::memory_order_relaxed); }

 private:
  explicit Checkpointer(const Parts& parts);

  static constexpr std::chrono::milliseconds kFirstPause{100};
  static constexpr std::chrono::milliseconds kLongestPause{500};

  // Of a checkpoint, until the last change is merged.
  static constexpr double kMergeShare = 0.9;

  // What the thread does next.
  enum class Task { kStop, kCheckpoint, kTidy };
  // How long no checkpoint is asked for, and from then on nothing written, before the store is
  // tidied.
  static constexpr std::chrono::milliseconds kQuietTime{50};
  // How far the fill of the active memtable may lead a merge that yields the disk: half of what
  // slows writers (pacer.h).
  static constexpr double kYieldingLead = 0.05;
  // For so long after a commit the next one is expected.
  static constexpr std::chrono::milliseconds kCommitsGoOn{100};

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  Task WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void TidyIfQuiet() ABSL_LOCKS_EXCLUDED(mutex_, maintenance_mutex_);
  // As PublishTree. False if there was no newer tree.
  bool ReadNewestTree();
  absl::StatusOr<bool> TidyStep() ABSL_LOCKS_EXCLUDED(maintenance_mutex_);
  absl::Status CheckpointOldest() ABSL_LOCKS_EXCLUDED(mutex_, maintenance_mutex_);
  // A slice's changes leave what they replace where it is, on a full disk too: folds some, so that
  // the next attempt finds more room.
  void FoldForRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintenance_mutex_);
  // Notes whether the log goes on after its `error`, which it returns.
  absl::Status LogError(const absl::Status& error);
  absl::Status Merge(const Memtable& table) ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintenance_mutex_);
  // Whether pages should be written in small pieces: commits wait for the disk (one has ended just
  // now, so there will be others), and writers do not wait for a merge, nor fill the next memtable
  // faster than it goes on. For the thread that writes pages.
  bool DiskIsWanted() const;
  void Record(const absl::Status& result) ABSL_LOCKS_EXCLUDED(mutex_);
  // `cause` is final.
  void Break(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  // One checkpoint, compaction or verification at a time. Taken before mutex_.
  FairMutex maintenance_mutex_;

  Mutex mutex_;
  CondVar work_;  // for the thread
  CondVar done_;  // an attempt ended
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  size_t frozen_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t checkpoint_seq_ ABSL_GUARDED_BY(mutex_) = 0;  // in the page store, and the log is cut
  uint64_t attempts_ ABSL_GUARDED_BY(mutex_) = 0;        // begun
  uint64_t failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  bool is_attempting_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_pausing_ ABSL_GUARDED_BY(mutex_) = false;  // after a failure, before the next attempt
  bool retry_now_ ABSL_GUARDED_BY(mutex_) = false;
  // Perhaps: the tree has changed since the page store had nothing to tidy.
  bool is_untidy_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::milliseconds pause_ ABSL_GUARDED_BY(mutex_) = kFirstPause;

  absl::Status final_error_;  // written once, before is_broken_
  std::atomic<bool> is_broken_{false};
  std::atomic<bool> is_merging_{false};
  std::atomic<double> progress_{0};

  uint64_t merged_seq_ = 0;  // of the thread: in the page store
  bool was_merged_ = false;  // of the thread: the attempt under way came so far
  // Of the thread: the attempt under way had an error of a log that goes on.
  bool log_goes_on_ = false;
  uint64_t quiet_seq_ = 0;  // of the thread: the log's end when it was last quiet
  std::thread thread_;
};

}  // namespace emdb

#endif  // EMDB_KV_CHECKPOINTER_H_
