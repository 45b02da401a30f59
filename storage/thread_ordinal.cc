#include "storage/thread_ordinal.h"

#include <set>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace emdb {
namespace {

constexpr size_t kUnassigned = kNoThreadOrdinal - 1;

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

// Has a number for the life of its thread and keeps it where it is found without a function call.
class Holder {
 public:
  explicit Holder(size_t* ordinal) : ordinal_(ordinal) { *ordinal_ = ProcessRegistry()->Take(); }
  ~Holder() {
    ProcessRegistry()->GiveBack(*ordinal_);
    *ordinal_ = kNoThreadOrdinal;
  }

 private:
  size_t* const ordinal_;
};

}  // namespace

size_t ThreadOrdinal() {
  // Without a destructor, so that it can still be asked after the holder is gone.
  thread_local constinit size_t ordinal = kUnassigned;
  if (ordinal == kUnassigned) [[unlikely]] {
    thread_local Holder holder(&ordinal);
  }
  return ordinal;
}

}  // namespace emdb
