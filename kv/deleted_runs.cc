#include "kv/deleted_runs.h"

#include <algorithm>
#include <utility>

namespace emdb {

std::optional<DeletedRuns::Run> DeletedRuns::Find(std::string_view key, uint64_t seq_limit) const {
  MutexLock lock(&mutex_);
  for (const std::optional<Run>& run : runs_) {
    if (run && run->seq <= seq_limit && run->Contains(key)) return run;
  }
  return std::nullopt;
}

void DeletedRuns::Add(Run run) {
  MutexLock lock(&mutex_);
  const auto touched = std::find_if(runs_.begin(), runs_.end(), [&run](const auto& known) {
    return known && (known->Contains(run.begin) || run.Contains(known->begin));
  });
  if (touched != runs_.end()) {
    // The newer one is right for fewer readers, but for all that are to come.
    if ((*touched)->seq <= run.seq) *touched = std::move(run);
    return;
  }
  runs_[oldest_] = std::move(run);
  oldest_ = (oldest_ + 1) % kRuns;
}

void DeletedRuns::Clear() {
  MutexLock lock(&mutex_);
  runs_ = {};
  oldest_ = 0;
}

}  // namespace emdb
