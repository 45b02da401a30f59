// ViewState: a generation that is being read, and GenerationRegistry: which ones are.

#ifndef EMDB_PAGESTORE_VIEW_STATE_H_
#define EMDB_PAGESTORE_VIEW_STATE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "pagestore/page_format.h"
#include "pagestore/tree.h"
#include "storage/mutex.h"

namespace emdb {

// Thread safe.
class GenerationRegistry {
 public:
  void Add(uint64_t generation) {
    MutexLock lock(&mutex_);
    pinned_.insert(generation);
  }
  void Remove(uint64_t generation) {
    MutexLock lock(&mutex_);
    pinned_.erase(pinned_.find(generation));
  }
  // `newest` if none is pinned.
  uint64_t Oldest(uint64_t newest) const {
    MutexLock lock(&mutex_);
    return pinned_.empty() ? newest : *pinned_.begin();
  }

 private:
  mutable Mutex mutex_;
  std::multiset<uint64_t> pinned_ ABSL_GUARDED_BY(mutex_);
};

// Pins its generation for as long as it lives. Not changed once it is made.
class ViewState {
 public:
  ViewState(const Tree& tree, const StoreHeader& header,
            std::shared_ptr<GenerationRegistry> registry)
      : tree_(tree), header_(header), registry_(std::move(registry)) {
    registry_->Add(header_.generation);
  }
  ~ViewState() { registry_->Remove(header_.generation); }
  ViewState(const ViewState&) = delete;
  ViewState& operator=(const ViewState&) = delete;

  const Tree& tree() const { return tree_; }
  const StoreHeader& header() const { return header_; }

 private:
  const Tree tree_;
  const StoreHeader header_;
  const std::shared_ptr<GenerationRegistry> registry_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_VIEW_STATE_H_
