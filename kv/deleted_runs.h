// DeletedRuns: ranges of keys in which an iterator has found nothing but deletions, so that the
// next one passes them at one go: without that, the head of a queue is behind everything that was
// ever taken from it.
//
// It is a part of one read state, whose tree and frozen memtables do not change; whether something
// was put into a run since it was found, the active memtable knows (Memtable::MayHavePut). A few
// runs are kept, the newest in place of the oldest.
//
// Thread safe.

#ifndef EMDB_KV_DELETED_RUNS_H_
#define EMDB_KV_DELETED_RUNS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace emdb {

class DeletedRuns {
 public:
  struct Run {
    std::string begin;               // inclusive
    std::optional<std::string> end;  // exclusive; none: all that follows
    uint64_t seq = 0;                // the limit of the read that found it

    bool Contains(std::string_view key) const { return key >= begin && (!end || key < *end); }
  };

  DeletedRuns() = default;
  // What is known of one state is not copied to another.
  DeletedRuns(const DeletedRuns&) {}
  DeletedRuns& operator=(const DeletedRuns& other) {
    if (this != &other) Clear();
    return *this;
  }

  // A run around `key` that was found by a read with `seq_limit` or a smaller one.
  std::optional<Run> Find(std::string_view key, uint64_t seq_limit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the place of a run that it touches, if there is one.
  void Add(Run run) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kRuns = 8;

  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  std::array<std::optional<Run>, kRuns> runs_ ABSL_GUARDED_BY(mutex_);
  size_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace emdb

#endif  // EMDB_KV_DELETED_RUNS_H_
