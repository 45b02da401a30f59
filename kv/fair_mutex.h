// FairMutex: a mutex that is had in the order in which it was asked for. With an unfair one a
// thread that wants it again at once, as the checkpointer does when writers keep it busy, gets it
// in front of those that have been waiting for seconds.
//
// For work that takes milliseconds: each Unlock wakes all who wait.

#ifndef EMDB_KV_FAIR_MUTEX_H_
#define EMDB_KV_FAIR_MUTEX_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace emdb {

class ABSL_LOCKABLE FairMutex {
 public:
  FairMutex() = default;
  FairMutex(const FairMutex&) = delete;
  FairMutex& operator=(const FairMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    MutexLock lock(&mutex_);
    const uint64_t ticket = next_ticket_++;
    while (serving_ != ticket) turn_.Wait(&mutex_);
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    MutexLock lock(&mutex_);
    ++serving_;
    turn_.SignalAll();
  }
  // For tests: who has it, and those behind.
  uint64_t queue_length() const {
    MutexLock lock(&mutex_);
    return next_ticket_ - serving_;
  }

 private:
  mutable Mutex mutex_;
  CondVar turn_;
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t serving_ ABSL_GUARDED_BY(mutex_) = 0;
};

class ABSL_SCOPED_LOCKABLE FairMutexLock {
 public:
  explicit FairMutexLock(FairMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~FairMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  FairMutexLock(const FairMutexLock&) = delete;
  FairMutexLock& operator=(const FairMutexLock&) = delete;

 private:
  FairMutex* const mutex_;
};

}  // namespace emdb

#endif  // EMDB_KV_FAIR_MUTEX_H_
