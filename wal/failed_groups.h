// FailedGroups: what became of the groups whose sync failed, kept until each thread that slept in
// one has been told.
//
// A group has one outcome, that of its own turn: later turns may have made other bytes durable
// under the seq of a record by the time its thread runs, those of the void that it was made.
//
// Not thread safe: the log's mutex guards it, but for Any.

#ifndef EMDB_WAL_FAILED_GROUPS_H_
#define EMDB_WAL_FAILED_GROUPS_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "wal/commit_queue.h"

namespace emdb {

class FailedGroups {
 public:
  // `group`, in which `sleepers` threads sleep, failed with `status`. Its records below
  // `durable_seq` are durable all the same. Before CommitQueue::Words::SetDone.
  void Add(CommitQueue::Group group, const absl::Status& status, uint64_t durable_seq,
           uint32_t sleepers);

  // Tells one of those who slept in `group` what became of its `seq`; nothing if the group did not
  // fail. To be called once by each.
  std::optional<absl::Status> Tell(CommitQueue::Group group, uint64_t seq);

  // False: the group that the caller slept in, and was not told of yet, did not fail. Without the
  // mutex, behind CommitQueue::Words::Await.
  bool Any() const {
    // Relaxed: Await has made visible what was added before, and nobody else takes it away.
    return size_.load(std::memory_order_relaxed) != 0;
  }

 private:
  // The status in parts, so that each thread gets one of its own: copies share a reference count,
  // which Abseil's library takes down where ThreadSanitizer does not see it.
  struct Failed {
    CommitQueue::Group group = 0;
    absl::StatusCode code = absl::StatusCode::kOk;
    std::string message;
    uint64_t durable_seq = 0;
    uint32_t sleepers = 0;
  };

  std::vector<Failed> groups_;
  std::atomic<size_t> size_{0};  // of groups_
};

}  // namespace emdb

#endif  // EMDB_WAL_FAILED_GROUPS_H_
