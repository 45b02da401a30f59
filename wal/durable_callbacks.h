// DurableCallbacks: functions to be called when a seq is durable, each once, in order of seq.
//
// Not thread safe: the log's mutex guards it. Running happens in two steps, so that no function is
// called under the mutex: the due ones move to a queue, and one thread at a time takes from it and
// calls.

#ifndef EMDB_WAL_DURABLE_CALLBACKS_H_
#define EMDB_WAL_DURABLE_CALLBACKS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace emdb {

class DurableCallbacks {
 public:
  using Function = std::function<void(const absl::Status&)>;

  struct Due {
    Function function;
    absl::Status status;
  };

  // `function` is due when `seq` is durable.
  void Add(uint64_t seq, Function function);
  // Those below `end_seq` are due with `status`.
  void Complete(uint64_t end_seq, const absl::Status& status);

  // Some are due and nobody is at it.
  bool Waits() const { return !is_running_ && !due_.empty(); }
  // The caller is to run what is due: false if there is nothing, or if another thread is at it.
  bool StartRunning();
  // What is due, to be called without the mutex.
  std::vector<Due> TakeDue() { return std::exchange(due_, {}); }
  // They have been called.
  void StopRunning() { is_running_ = false; }

 private:
  struct Waiting {
    uint64_t seq;
    Function function;
  };

  std::deque<Waiting> waiting_;  // by rising seq
  std::vector<Due> due_;
  bool is_running_ = false;
};

}  // namespace emdb

#endif  // EMDB_WAL_DURABLE_CALLBACKS_H_
