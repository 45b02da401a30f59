// Group commit: durable single writes by more and more threads.

#include <array>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

constexpr std::array kThreads = {1, 2, 4, 8, 16, 32, 64};
constexpr uint64_t kRecordsPerRun = 256 * 1024;

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(
      const std::unique_ptr<TestBed> bed,
      TestBed::Open(context, {.dataset = {.key_order = KeyOrder::kRandom,
                                          .key_bytes = 16,
                                          .value_bytes = 100,
                                          .capacity = kThreads.size() * kRecordsPerRun},
                              .engine = {},
                              .subdirectory = ""}));
  for (size_t run = 0; run < kThreads.size(); ++run) {
    const int threads = kThreads[run];
    const uint64_t per_thread = kRecordsPerRun / threads;
    const PhaseOptions options{.name = absl::StrCat(threads, threads == 1 ? " thread" : " threads"),
                               .threads = threads,
                               .max_seconds = sizing.phase_seconds};
    EMDB_RETURN_IF_ERROR(
        bed->RunDurable(options, [run, per_thread](CheckedSession* session, Worker* worker) {
          // Each thread has records of its own; when it has written all, it begins again.
          const uint64_t id = run * kRecordsPerRun + worker->thread() * per_thread +
                              (worker->operations() - 1) % per_thread;
          return session->Put(id, Durability::kSynced);
        }));
  }
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload CommitWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  return {.name = "commit",
          .summary =
              "durable single writes of 100 bytes by 1 to 64 threads: rate, latency, syncs a "
              "commit",
          .stages = {{.name = "main", .run = run_main}},
          .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
