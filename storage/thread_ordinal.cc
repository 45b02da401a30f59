#include "storage/thread_ordinal.h"

#include <set>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace emdb {
namespace {

class Registry {
 public:
  size_t Take() {
    MutexLock lock(&mutex_);
    if (free_.empty()) return next_++;
    const size_t ordinal = *free_.begin();
    free_.erase(free_.begin());
    return ordinal;
  }

  void GiveBack(size_t ordinal) {
    MutexLock lock(&mutex_);
    free_.insert(ordinal);
  }

 private:
  Mutex mutex_;
  std::set<size_t> free_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
};

Registry* ProcessRegistry() {
  // Never destroyed: threads may outlive static objects.
  static Registry* const registry = new Registry;
  return registry;
}

// Has a number for the life of its thread.
class Holder {
 public:
  Holder() { thread_ordinal_internal::ordinal = ProcessRegistry()->Take(); }
  ~Holder() {
    ProcessRegistry()->GiveBack(thread_ordinal_internal::ordinal);
    thread_ordinal_internal::ordinal = kNoThreadOrdinal;
  }
};

}  // namespace

namespace thread_ordinal_internal {

constinit thread_local size_t ordinal = kUnassigned;

size_t Assign() {
  thread_local Holder holder;
  return ordinal;
}

}  // namespace thread_ordinal_internal

}  // namespace emdb
