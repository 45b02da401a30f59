// ReadState: what a read looks at: the memtables and a view of the page store. Immutable; a new one
// is published when a memtable is frozen and when a checkpoint is done.
//
// A read loads the current state first and the visible seq after it. A state whose active memtable
// has been frozen meanwhile then shows everything up to that boundary and nothing behind it, which
// is a state that was.
//
// ReadStates holds the current one. Thread safe.

#ifndef EMDB_KV_READ_STATE_H_
#define EMDB_KV_READ_STATE_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "kv/deleted_runs.h"
#include "kv/memtable.h"
#include "pagestore/page_store.h"
#include "storage/epoch.h"
#include "storage/mutex.h"

namespace emdb {

struct ReadState : std::enable_shared_from_this<ReadState> {
  std::shared_ptr<Memtable> active;
  std::vector<std::shared_ptr<Memtable>> frozen;  // newest first
  View tree;
  // What iterators over this state found out; not a part of what it shows.
  mutable DeletedRuns deleted_runs;
};

class ReadStates {
 public:
  ReadStates() = default;
  ReadStates(const ReadStates&) = delete;
  ReadStates& operator=(const ReadStates&) = delete;

  // Readers hold a guard of it while they use what current() returned.
  Epoch* epoch() const { return &epoch_; }
  // Null once closed.
  const ReadState* current() const { return current_.load(std::memory_order_acquire); }
  // For longer than a guard. Null once closed.
  std::shared_ptr<const ReadState> Acquire() const;

  // Publishes a copy of the current state (an empty one at first) that `change` has been applied
  // to.
  void Update(absl::FunctionRef<void(ReadState*)> change) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until no reader under a guard can see an older state than the current one.
  void WaitForReaders() { epoch_.Synchronize(); }
  // No current state any more, and no reader under a guard.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Publish(std::shared_ptr<const ReadState> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Not the page store's: reads of pages may wait for its epoch while they hold this one.
  mutable Epoch epoch_;
  std::atomic<const ReadState*> current_{nullptr};
  Mutex mutex_;
  std::shared_ptr<const ReadState> owner_ ABSL_GUARDED_BY(mutex_);  // of *current_
};

}  // namespace emdb

#endif  // EMDB_KV_READ_STATE_H_
