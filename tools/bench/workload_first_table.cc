// The shortest answer to "how does it compare": load, durable single writes, random reads, a scan,
// a reopen, sizes.

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kRecords = 1'000'000;
constexpr uint64_t kDurablePuts = 10'000;

TestBedOptions BedOptions(const Sizing& sizing) {
  return {.dataset = {.key_order = KeyOrder::kRandom,
                      .key_bytes = 24,
                      .value_bytes = 150,
                      .capacity = sizing.Scaled(kRecords) + sizing.Scaled(kDurablePuts)},
          .engine = {},
          .subdirectory = ""};
}

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  const uint64_t records = sizing.Scaled(kRecords);
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, BedOptions(sizing)));
  EMDB_RETURN_IF_ERROR(bed->LoadAndSettle("load", 0, records));
  EMDB_RETURN_IF_ERROR(bed->RunDurable(
      {.name = "durable single puts", .max_operations = sizing.Scaled(kDurablePuts)},
      [records](CheckedSession* session, Worker* worker) {
        return session->Put(records + worker->operations() - 1, Durability::kSynced);
      }));
  EMDB_RETURN_IF_ERROR(bed->Run({.name = "random gets", .max_seconds = sizing.phase_seconds},
                                [records](CheckedSession* session, Worker* worker) {
                                  return session->Get(worker->random()->Below(records));
                                }));
  EMDB_RETURN_IF_ERROR(bed->ScanAll("full scan, rows", /*forward=*/true));
  EMDB_RETURN_IF_ERROR(bed->Close());
  return bed->DiskUsage("size on disk");
}

// In a process that has not seen the store: until the first record is read.
absl::Status RunReopen(const Sizing& sizing, StageContext* context) {
  std::unique_ptr<TestBed> bed;
  EMDB_RETURN_IF_ERROR(context->Emit(TimeCall("reopen", context->progress(), [&]() -> absl::Status {
    EMDB_ASSIGN_OR_RETURN(bed, TestBed::Open(context, BedOptions(sizing)));
    bed->dataset().set_version(0, 1);
    EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<CheckedSession> session, bed->NewSession());
    return session->Get(0);
  })));
  for (uint64_t id = 0; id < bed->dataset().capacity(); ++id) bed->dataset().set_version(id, 1);
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload FirstTableWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  const auto run_reopen = [sizing](StageContext* context) { return RunReopen(sizing, context); };
  return {
      .name = "first-table",
      .summary = absl::StrCat(cli::WithCommas(sizing.Scaled(kRecords)),
                              " records of 24-byte random keys and 150-byte values: load, durable "
                              "puts, random gets, scan, reopen, sizes"),
      .stages = {{.name = "main", .run = run_main, .ends_by_kill = false, .reports_memory = true},
                 {.name = "reopen", .run = run_reopen}},
      .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
