// What a restart costs: after a kill with a log of a given size to replay, and after a close.

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kBatchRecords = 100;
constexpr uint64_t kRecordBytes = 24 + 150;

uint64_t Records(const Sizing& sizing, uint64_t log_megabytes) {
  // Rounded up, so that full size is no less than its name says.
  return (sizing.Scaled((log_megabytes << 20) / kRecordBytes) / kBatchRecords + 1) * kBatchRecords;
}

TestBedOptions BedOptions(uint64_t records) {
  TestBedOptions options;
  options.dataset = {
      .key_order = KeyOrder::kRandom, .key_bytes = 24, .value_bytes = 150, .capacity = records};
  // So large that nothing leaves the memtable, and all of it is in the log when the kill comes.
  options.engine.write_buffer_bytes =
      std::max<uint64_t>(uint64_t{64} << 20, records * 4 * kRecordBytes);
  return options;
}

absl::Status RunFill(uint64_t records, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, BedOptions(records)));
  const PhaseOptions options{.name = "filling the log", .max_operations = records / kBatchRecords};
  const absl::StatusOr<Measurement> filled =
      bed->Measure(options, [](CheckedSession* session, Worker* worker) {
        std::vector<uint64_t> ids(kBatchRecords);
        for (uint64_t i = 0; i < kBatchRecords; ++i) {
          ids[i] = (worker->operations() - 1) * kBatchRecords + i;
        }
        return session->PutBatch(ids, Durability::kUnsynced);
      });
  EMDB_RETURN_IF_ERROR(filled.status());
  context->KillProcess();
}

// Until the first record is read.
absl::Status TimeOpen(std::string_view phase, uint64_t records, StageContext* context) {
  std::unique_ptr<TestBed> bed;
  EMDB_RETURN_IF_ERROR(context->Emit(TimeCall(phase, context->progress(), [&]() -> absl::Status {
    EMDB_ASSIGN_OR_RETURN(bed, TestBed::Open(context, BedOptions(records)));
    bed->dataset().set_version(0, 1);
    EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<CheckedSession> session, bed->NewSession());
    return session->Get(0);
  })));
  for (uint64_t id = 0; id < records; ++id) bed->dataset().set_version(id, 1);
  // A kill of the process must not have lost one of the acknowledged writes.
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload RecoveryWorkload(const Sizing& sizing, uint64_t log_megabytes) {
  const uint64_t records = Records(sizing, log_megabytes);
  const auto fill = [records](StageContext* context) { return RunFill(records, context); };
  const auto reopen_killed = [records](StageContext* context) {
    return TimeOpen("open after SIGKILL", records, context);
  };
  const auto reopen_clean = [records](StageContext* context) {
    return TimeOpen("open after a close", records, context);
  };
  return {.name = absl::StrCat("recovery-", log_megabytes),
          .summary = absl::StrCat("reopen after SIGKILL with ", records * kRecordBytes >> 20,
                                  " MiB of records in the log, nothing lost; then after a close"),
          .stages = {{.name = "fill", .run = fill, .ends_by_kill = true},
                     {.name = "killed", .run = reopen_killed},
                     {.name = "clean", .run = reopen_clean}},
          .memory_limit_bytes = 0,
          .needs_log = true};
}

}  // namespace emdb::bench
