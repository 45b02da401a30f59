// RunChild: runs a function in a forked child, so that each measurement has an address space, a
// peak of memory and an account of its own, and a crash of one engine ends nothing but its own
// figure.
//
// The caller must have one thread. The child ends with the function; what it sends through the
// channel is a line each, complete or absent.

#ifndef EMDB_TOOLS_BENCH_CHILD_PROCESS_H_
#define EMDB_TOOLS_BENCH_CHILD_PROCESS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/progress.h"

namespace emdb::bench {

// The child's end.
class ChildChannel {
 public:
  ChildChannel(int fd, Progress* progress) : fd_(fd), progress_(progress) {}

  // `line` must not contain a newline. If the parent is gone, so is the child.
  void Send(std::string_view line);
  Progress* progress() { return progress_; }

 private:
  const int fd_;
  Progress* const progress_;
};

// What wait4 says about it.
struct ChildUsage {
  uint64_t peak_memory_bytes = 0;  // resident, file pages that it had mapped included
  double user_seconds = 0;
  double system_seconds = 0;
  uint64_t minor_faults = 0;
  uint64_t major_faults = 0;
};

struct ChildResult {
  std::vector<std::string> lines;
  ChildUsage usage;
  bool was_interrupted = false;  // it was killed because `stop_fd` became readable
  bool has_timed_out = false;
  bool has_exited = false;  // returned from its function, rather than by a signal
  int exit_code_or_signal = 0;
};

struct ChildOptions {
  // The child is killed when this descriptor becomes readable; -1: never.
  int stop_fd = -1;
  double timeout_seconds = 3600;
  // Called a few times a second while the child runs.
  absl::FunctionRef<void(const Progress&)> on_progress;
};

absl::StatusOr<ChildResult> RunChild(const ChildOptions& options,
                                     absl::FunctionRef<void(ChildChannel*)> function);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_CHILD_PROCESS_H_
