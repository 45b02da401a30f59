// RunPhase: a timed loop on one or more threads. The body of each thread does one operation per
// Worker::Next that returns true, and returns when it is false:
//
//   absl::Status Body(Worker* worker) {
//     while (worker->Next()) EMDB_RETURN_IF_ERROR(session.Get(worker->random()->Below(n)));
//     return absl::OkStatus();
//   }
//
// Next keeps count and time: one operation in `latency_interval` is timed, so that a loop of fast
// operations is not one of clock calls.

#ifndef EMDB_TOOLS_BENCH_PHASE_H_
#define EMDB_TOOLS_BENCH_PHASE_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/histogram.h"
#include "tools/bench/measurement.h"
#include "tools/bench/progress.h"
#include "tools/bench/random.h"

namespace emdb::bench {

// The phase ends when either limit is reached; at least one must be set.
struct PhaseOptions {
  std::string name;
  int threads = 1;
  uint64_t max_operations = 0;  // of all threads together
  double max_seconds = 0;
  uint32_t latency_interval = 16;
  bool with_series = false;  // also record each second
};

class Worker {
 public:
  using Clock = std::chrono::steady_clock;

  Worker(const PhaseOptions& options, int thread, Progress* progress);

  // Ends the last operation; true if there is to be another one.
  bool Next() {
    if (until_timed_ > 0 && !is_timing_) [[likely]] {
      --until_timed_;
      ++operations_;
      return true;
    }
    return NextTimed();
  }

  int thread() const { return thread_; }
  Random* random() { return &random_; }
  uint64_t operations() const { return operations_; }
  // Counts `rows` operations for the one under way; for bodies that do many at a time.
  void CountRows(uint64_t rows) { extra_operations_ += rows - 1; }

  // For RunPhase.
  void Start();
  struct Second {
    uint64_t operations = 0;
    Histogram latency;
  };
  const Histogram& latency() const { return latency_; }
  const std::vector<Second>& series() const { return series_; }
  uint64_t total_operations() const { return operations_ + extra_operations_; }

 private:
  bool NextTimed();
  void EndTimed(Clock::time_point now);
  void RecordSecond(Clock::time_point now, uint64_t nanos);

  const PhaseOptions& options_;
  const int thread_;
  Progress* const progress_;
  uint64_t operation_limit_;
  Random random_;
  uint64_t operations_ = 0;
  uint64_t extra_operations_ = 0;
  uint64_t until_timed_ = 0;
  bool is_timing_ = false;
  bool is_over_ = false;
  Clock::time_point start_;
  Clock::time_point operation_start_;
  Histogram latency_;
  std::vector<Second> series_;
  uint64_t operations_before_second_ = 0;
};

// Runs `body` on options.threads threads, which start together. Returns what came of it, with
// value = operations a second; or the first error. Workload, engine and repetition are left empty.
absl::StatusOr<Measurement> RunPhase(const PhaseOptions& options, Progress* progress,
                                     absl::FunctionRef<absl::Status(Worker*)> body);

// The same for one call that is timed as a whole: value = seconds.
absl::StatusOr<Measurement> TimeCall(std::string_view name, Progress* progress,
                                     absl::FunctionRef<absl::Status()> call);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_PHASE_H_
