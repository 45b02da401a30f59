// Workload: a named series of stages that each engine goes through, and StageContext, what a stage
// is given. Each stage runs in a child process of its own, in the same directory; so a store can be
// opened by a process that did not write it, or that follows one that was killed.

#ifndef EMDB_TOOLS_BENCH_WORKLOAD_H_
#define EMDB_TOOLS_BENCH_WORKLOAD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/child_process.h"
#include "tools/bench/engine.h"
#include "tools/bench/measurement.h"

namespace emdb::bench {

// How large and how long: what a profile and the flags decide.
struct Sizing {
  double scale = 1;          // of numbers of records and of bytes of memory
  double phase_seconds = 1;  // of phases that are limited by time

  // At least 100, so that nothing becomes empty.
  uint64_t Scaled(uint64_t count) const;
};

class StageContext {
 public:
  StageContext(const EngineInfo* engine, std::string directory, ChildChannel* channel)
      : engine_(engine), directory_(std::move(directory)), channel_(channel) {}

  const EngineInfo& engine() const { return *engine_; }
  const std::string& directory() const { return directory_; }
  Progress* progress() { return channel_->progress(); }

  // Sends a measurement to the report; passes an error on.
  absl::Status Emit(absl::StatusOr<Measurement> measurement);
  absl::Status EmitValue(std::string_view phase, Unit unit, double value);

  // Ends this process by SIGKILL, with its engine open: for stages with ends_by_kill.
  [[noreturn]] void KillProcess();

 private:
  const EngineInfo* const engine_;
  const std::string directory_;
  ChildChannel* const channel_;
};

struct Stage {
  std::string name;
  std::function<absl::Status(StageContext* context)> run;
  // `run` does not return but for an error: it ends in KillProcess.
  bool ends_by_kill = false;
  // Its peak of memory is reported.
  bool reports_memory = false;
};

struct Workload {
  std::string name;
  std::string summary;  // one line
  std::vector<Stage> stages;
  uint64_t memory_limit_bytes = 0;  // 0: none
  bool needs_log = false;           // engines without one are passed over
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_WORKLOAD_H_
