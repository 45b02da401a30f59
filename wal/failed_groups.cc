#include "wal/failed_groups.h"

#include <algorithm>

namespace emdb {

void FailedGroups::Add(CommitQueue::Group group, const absl::Status& status, uint64_t durable_seq,
                       uint32_t sleepers) {
  if (sleepers == 0) return;
  groups_.push_back({group, status.code(), std::string(status.message()), durable_seq, sleepers});
  size_.store(groups_.size(), std::memory_order_relaxed);
}

std::optional<absl::Status> FailedGroups::Tell(CommitQueue::Group group, uint64_t seq) {
  const auto found = std::find_if(groups_.begin(), groups_.end(),
                                  [group](const Failed& failed) { return failed.group == group; });
  if (found == groups_.end()) return std::nullopt;
  absl::Status status;
  if (seq >= found->durable_seq) status = absl::Status(found->code, found->message);
  if (--found->sleepers == 0) groups_.erase(found);
  size_.store(groups_.size(), std::memory_order_relaxed);
  return status;
}

}  // namespace emdb
