// ProgressView: shows how far a run is: one line that is rewritten on a terminal, a line a job
// where the output goes to a file or a pipe.

#ifndef EMDB_TOOLS_BENCH_PROGRESS_VIEW_H_
#define EMDB_TOOLS_BENCH_PROGRESS_VIEW_H_

#include <chrono>
#include <cstdio>
#include <string>

#include "tools/bench/results.h"
#include "tools/bench/runner.h"

namespace emdb::bench {

class ProgressView {
 public:
  // `out` must outlive it.
  explicit ProgressView(FILE* out);

  void ShowProgress(const RunnerObserver::Job& job, const std::string& phase, double fraction);
  void ShowFinished(const RunnerObserver::Job& job, const Results& results);

 private:
  using Clock = std::chrono::steady_clock;

  std::string Prefix(const RunnerObserver::Job& job) const;

  FILE* const out_;
  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  size_t failures_shown_ = 0;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_PROGRESS_VIEW_H_
