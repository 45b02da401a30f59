// Long loads at full speed: the figure is not the mean but what each second looks like.

#include <string>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kRecords = 1'000'000;
// Of the other phases' length: 10 minutes where these take 2 seconds.
constexpr double kPhases = 300;

struct Load {
  std::string workload;
  std::string phase;
  std::string summary;
  int threads = 1;
  bool reads = false;  // every other operation
};

absl::Status RunMain(const Load& load, const Sizing& sizing, StageContext* context) {
  const uint64_t threads = static_cast<uint64_t>(load.threads);
  const uint64_t records = sizing.Scaled(kRecords) / threads * threads;
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, {.dataset = {.key_order = KeyOrder::kRandom,
                                                            .key_bytes = 24,
                                                            .value_bytes = 150,
                                                            .capacity = records},
                                                .engine = {},
                                                .subdirectory = ""}));
  EMDB_RETURN_IF_ERROR(bed->LoadQuietly(0, records));
  const PhaseOptions options{.name = load.phase,
                             .threads = load.threads,
                             .max_seconds = kPhases * sizing.phase_seconds,
                             .latency_interval = 1,
                             .with_series = true};
  EMDB_RETURN_IF_ERROR(
      bed->Run(options, [&](CheckedSession* session, Worker* worker) -> absl::Status {
        const uint64_t id = worker->random()->Below(records);
        if (load.reads && worker->random()->Below(2) == 0) return session->GetWhileWritten(id);
        // Each thread writes records of its own.
        return session->Put(id / threads * threads + worker->thread(), Durability::kUnsynced);
      }));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

Workload Make(const Load& load, const Sizing& sizing) {
  const auto run_main = [load, sizing](StageContext* context) {
    return RunMain(load, sizing, context);
  };
  return {
      .name = load.workload,
      .summary = absl::StrCat(
          load.summary, " at full speed, ", cli::WithCommas(sizing.Scaled(kRecords)), " records, ",
          kPhases * sizing.phase_seconds, " s: throughput and p99.9 of each second"),
      .stages = {{.name = "main", .run = run_main, .ends_by_kill = false, .reports_memory = true}},
      .memory_limit_bytes = 0};
}

}  // namespace

Workload SteadyWorkload(const Sizing& sizing) {
  return Make({.workload = "steady",
               .phase = "mixed load",
               .summary = "half random reads, half random unsynced writes by 2 threads",
               .threads = 2,
               .reads = true},
              sizing);
}

Workload SteadyWritesWorkload(const Sizing& sizing) {
  return Make({.workload = "steady-writes",
               .phase = "random writes",
               .summary = "random unsynced writes by 1 thread"},
              sizing);
}

}  // namespace emdb::bench
