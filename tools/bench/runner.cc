#include "tools/bench/runner.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/json.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory_limit.h"
#include "tools/bench/memory_warmer.h"

namespace emdb::bench {
namespace {

// What a child sends when its stage is over, or went wrong.
std::string DoneLine() { return R"({"type":"done"})"; }

std::string ErrorLine(const absl::Status& status) {
  JsonValue json = JsonValue::MakeObject();
  json.Add("type", "error");
  json.Add("message", std::string_view(status.ToString()));
  return json.ToString();
}

// The child's side of a stage.
void RunInChild(const Stage& stage, const MemoryLimit* limit, StageContext* context,
                ChildChannel* channel) {
  const absl::Status entered = limit == nullptr ? absl::OkStatus() : limit->Enter();
  const absl::Status status = entered.ok() ? stage.run(context) : entered;
  channel->Send(status.ok() ? DoneLine() : ErrorLine(status));
}

constexpr int kKillSignal = 9;

// What the kernel does to a process that needs more memory than its group may have.
bool IsOutOfMemory(const Workload& workload, const Stage& stage, const ChildResult& child) {
  return workload.memory_limit_bytes > 0 && !stage.ends_by_kill && !child.has_exited &&
         !child.has_timed_out && child.exit_code_or_signal == kKillSignal;
}

std::string DescribeEnd(const ChildResult& child) {
  if (child.has_timed_out) return "took too long and was killed";
  return child.has_exited ? absl::StrCat("exited with status ", child.exit_code_or_signal)
                          : absl::StrCat("was ended by signal ", child.exit_code_or_signal);
}

}  // namespace

absl::Status Runner::Run() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  int most_repetitions = 0;
  RunnerObserver::Job job;
  for (const PlannedWorkload& planned : plan_->workloads) {
    most_repetitions = std::max(most_repetitions, planned.repetitions);
    job.total += planned.repetitions * static_cast<int>(plan_->engines.size());
  }
  for (job.repetition = 0; job.repetition < most_repetitions; ++job.repetition) {
    for (size_t w = 0; w < plan_->workloads.size(); ++w) {
      const PlannedWorkload& planned = plan_->workloads[w];
      const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
      const bool is_late = plan_->budget_seconds > 0 && elapsed > plan_->budget_seconds;
      if (job.repetition >= planned.repetitions) continue;
      for (size_t e = 0; e < plan_->engines.size(); ++e) {
        ++job.number;
        // All engines of a workload get the same number of repetitions.
        if (is_late && job.repetition > 0) continue;
        const size_t turn = (e + w + job.repetition) % plan_->engines.size();
        job.workload = planned.workload.name;
        job.engine = plan_->engines[turn].name;
        EMDB_ASSIGN_OR_RETURN(const bool is_stopped, RunJob(planned, plan_->engines[turn], job));
        EMDB_RETURN_IF_ERROR(observer_->on_finished(job, *results_));
        if (is_stopped) return absl::OkStatus();
      }
    }
  }
  results_->is_complete = true;
  return absl::OkStatus();
}

// All stages in one directory. Returns whether the run was stopped.
absl::StatusOr<bool> Runner::RunJob(const PlannedWorkload& planned, const EngineInfo& engine,
                                    const RunnerObserver::Job& job) {
  if (planned.workload.needs_log && !engine.has_log) {
    if (job.repetition == 0) AddFailure(job, "has no log to replay", /*is_skip=*/true);
    return false;
  }
  if (HasFailed(job)) return false;
  const std::string directory = absl::StrCat(plan_->directory, "/", job.workload, ".", job.engine);
  std::error_code error;
  const auto remove_store = [&directory] {
    // What cannot be removed is in the way of the next job, which will say so.
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  };
  remove_store();
  const absl::Cleanup cleanup = remove_store;
  if (!std::filesystem::create_directories(directory, error)) {
    // Without an error it is there.
    return IoError(error ? error.value() : EEXIST, "mkdir", directory);
  }
  for (const Stage& stage : planned.workload.stages) {
    const absl::StatusOr<ChildResult> child = RunStage(planned.workload, stage, engine, job);
    if (absl::IsFailedPrecondition(child.status())) {
      AddFailure(job, std::string(child.status().message()), /*is_skip=*/true);
      return false;
    }
    EMDB_RETURN_IF_ERROR(child.status());
    if (child->was_interrupted) return true;
    if (IsOutOfMemory(planned.workload, stage, *child)) {
      AddFailure(job,
                 absl::StrCat("needs more than the ", planned.workload.memory_limit_bytes >> 20,
                              " MiB that it may use, and was killed"),
                 /*is_skip=*/true);
      return false;
    }
    if (!TakeResult(stage, *child, job)) return false;
  }
  return false;
}

absl::StatusOr<ChildResult> Runner::RunStage(const Workload& workload, const Stage& stage,
                                             const EngineInfo& engine,
                                             const RunnerObserver::Job& job) {
  std::unique_ptr<MemoryLimit> limit;
  if (workload.memory_limit_bytes > 0) {
    EMDB_ASSIGN_OR_RETURN(limit, MemoryLimit::Create(workload.memory_limit_bytes));
  }
  const auto show = [this, &job](const Progress& progress) {
    observer_->on_progress(job, progress.phase(), progress.fraction());
  };
  const ChildOptions options{.stop_fd = plan_->stop_fd,
                             .timeout_seconds = plan_->stage_timeout_seconds,
                             .on_progress = show};
  const std::string directory = absl::StrCat(plan_->directory, "/", job.workload, ".", job.engine);
  WarmMemory(plan_->warm_bytes);
  return RunChild(options, [&](ChildChannel* channel) {
    StageContext context(&engine, directory, channel);
    RunInChild(stage, limit.get(), &context, channel);
  });
}

// Returns whether the stage went well.
bool Runner::TakeResult(const Stage& stage, const ChildResult& child,
                        const RunnerObserver::Job& job) {
  bool is_done = stage.ends_by_kill && !child.has_exited && !child.has_timed_out &&
                 child.exit_code_or_signal == kKillSignal;
  std::string problem;
  for (const std::string& line : child.lines) {
    const absl::StatusOr<JsonValue> json = JsonValue::Parse(line);
    if (!json.ok()) {
      problem = absl::StrCat("sent what is not JSON: ", json.status().message());
      continue;
    }
    const std::string& type = (*json)["type"].AsString();
    if (type == "done") is_done = !stage.ends_by_kill;
    if (type == "error") problem = (*json)["message"].AsString();
    if (type != "measurement") continue;
    Measurement measurement = Measurement::FromJson(*json);
    measurement.workload = job.workload;
    measurement.engine = job.engine;
    measurement.repetition = job.repetition;
    results_->measurements.push_back(std::move(measurement));
  }
  if (problem.empty() && is_done) {
    if (stage.reports_memory) {
      Measurement memory;
      memory.workload = job.workload;
      memory.phase = "peak memory";
      memory.engine = job.engine;
      memory.repetition = job.repetition;
      memory.unit = Unit::kBytes;
      memory.value = static_cast<double>(child.usage.peak_memory_bytes);
      memory.cpu_seconds = child.usage.user_seconds + child.usage.system_seconds;
      memory.minor_faults = child.usage.minor_faults;
      memory.major_faults = child.usage.major_faults;
      results_->measurements.push_back(std::move(memory));
    }
    return true;
  }
  if (problem.empty()) problem = "the process " + DescribeEnd(child);
  AddFailure(job, absl::StrCat(stage.name, ": ", problem), /*is_skip=*/false);
  DropMeasurements(job);
  return false;
}

// All of the engine in the workload: what gives wrong answers is not fast, in no repetition.
void Runner::DropMeasurements(const RunnerObserver::Job& job) {
  std::erase_if(results_->measurements, [&job](const Measurement& measurement) {
    return measurement.workload == job.workload && measurement.engine == job.engine;
  });
}

bool Runner::HasFailed(const RunnerObserver::Job& job) const {
  return std::any_of(
      results_->failures.begin(), results_->failures.end(), [&job](const Failure& failure) {
        return !failure.is_skip && failure.workload == job.workload && failure.engine == job.engine;
      });
}

void Runner::AddFailure(const RunnerObserver::Job& job, std::string message, bool is_skip) {
  results_->failures.push_back({.workload = job.workload,
                                .engine = job.engine,
                                .repetition = job.repetition,
                                .message = std::move(message),
                                .is_skip = is_skip});
}

}  // namespace emdb::bench
