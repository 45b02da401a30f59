// Runner: puts every engine through every workload, in child processes, interleaved: repetition by
// repetition, workload by workload, and the engines in an order that moves on by one each time, so
// that none of them always comes first or always follows the same one.

#ifndef EMDB_TOOLS_BENCH_RUNNER_H_
#define EMDB_TOOLS_BENCH_RUNNER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/child_process.h"
#include "tools/bench/engine.h"
#include "tools/bench/results.h"
#include "tools/bench/workload.h"

namespace emdb::bench {

struct PlannedWorkload {
  Workload workload;
  int repetitions = 1;
};

struct Plan {
  std::vector<EngineInfo> engines;
  std::vector<PlannedWorkload> workloads;
  std::string directory;  // stores are made and removed below it
  // Repetitions after the first are not begun when this much time has passed; 0: no limit.
  double budget_seconds = 0;
  // A stage that takes longer has failed.
  double stage_timeout_seconds = 600;
  int stop_fd = -1;  // the run ends when this becomes readable
  // Of memory that is touched in front of each stage (memory_warmer.h).
  uint64_t warm_bytes = 0;
};

// Called when something is to be shown.
struct RunnerObserver {
  struct Job {
    int number = 0;  // from 1
    int total = 0;
    std::string workload;
    std::string engine;
    int repetition = 0;
  };
  std::function<void(const Job& job, const std::string& phase, double fraction)> on_progress;
  // After each job; `results` holds all there is so far.
  std::function<absl::Status(const Job& job, const Results& results)> on_finished;
};

class Runner {
 public:
  // Both must outlive the runner. Measurements and failures are added to *results.
  Runner(const Plan* plan, const RunnerObserver* observer, Results* results)
      : plan_(plan), observer_(observer), results_(results) {}

  // An engine that fails is in the results, has no figures of that workload, and does not get to
  // its other repetitions; an error here is the runner's own. OK as well when it was stopped;
  // results->is_complete tells.
  absl::Status Run();

 private:
  absl::StatusOr<bool> RunJob(const PlannedWorkload& planned, const EngineInfo& engine,
                              const RunnerObserver::Job& job);
  absl::StatusOr<ChildResult> RunStage(const Workload& workload, const Stage& stage,
                                       const EngineInfo& engine, const RunnerObserver::Job& job);
  bool TakeResult(const Stage& stage, const ChildResult& child, const RunnerObserver::Job& job);
  void DropMeasurements(const RunnerObserver::Job& job);
  // In an earlier repetition.
  bool HasFailed(const RunnerObserver::Job& job) const;
  void AddFailure(const RunnerObserver::Job& job, std::string message, bool is_skip);

  const Plan* const plan_;
  const RunnerObserver* const observer_;
  Results* const results_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_RUNNER_H_
