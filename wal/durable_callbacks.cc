#include "wal/durable_callbacks.h"

#include <algorithm>
#include <utility>

namespace emdb {

void DurableCallbacks::Add(uint64_t seq, Function function) {
  if (waiting_.empty() || waiting_.back().seq <= seq) [[likely]] {
    waiting_.push_back({seq, std::move(function)});
    return;
  }
  const auto behind = std::upper_bound(
      waiting_.begin(), waiting_.end(), seq,
      [](uint64_t wanted, const Waiting& waiting) { return wanted < waiting.seq; });
  waiting_.insert(behind, Waiting{seq, std::move(function)});
}

void DurableCallbacks::Complete(uint64_t end_seq, const absl::Status& status) {
  while (!waiting_.empty() && waiting_.front().seq < end_seq) {
    due_.push_back({std::move(waiting_.front().function), status});
    waiting_.pop_front();
  }
}

bool DurableCallbacks::StartRunning() {
  if (!Waits()) return false;
  is_running_ = true;
  return true;
}

}  // namespace emdb
