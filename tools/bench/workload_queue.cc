// A queue kept in key order: where deleted records stay in the way of those behind them, the scan
// at the head gets slower and slower.

#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kBacklog = 20'000;
constexpr uint64_t kMessages = 500'000;
constexpr int kPhases = 2;

// Takes the first record, which must be `head`, and puts `tail`.
absl::Status TakeAndPut(CheckedSession* session, uint64_t head, uint64_t tail) {
  {
    const std::unique_ptr<Cursor> cursor = session->NewCursor();
    cursor->SeekToFirst();
    EMDB_RETURN_IF_ERROR(cursor->status());
    if (!cursor->Valid()) return absl::DataLossError("the queue is empty, and should not be");
    EMDB_ASSIGN_OR_RETURN(const uint64_t found, session->CheckRow(*cursor));
    if (found != head) {
      return absl::DataLossError(
          absl::StrCat("the head of the queue is record ", found, ", expected ", head));
    }
  }
  EMDB_RETURN_IF_ERROR(session->Delete(head, Durability::kUnsynced));
  return session->Put(tail, Durability::kUnsynced);
}

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  const uint64_t backlog = sizing.Scaled(kBacklog);
  const uint64_t messages = sizing.Scaled(kMessages);
  EMDB_ASSIGN_OR_RETURN(
      const std::unique_ptr<TestBed> bed,
      TestBed::Open(context, {.dataset = {.key_order = KeyOrder::kAscending,
                                          .key_bytes = 16,
                                          .value_bytes = 100,
                                          .capacity = backlog + kPhases * messages},
                              .engine = {},
                              .subdirectory = ""}));
  EMDB_RETURN_IF_ERROR(bed->LoadQuietly(0, backlog));
  // The second phase runs over what the first one has left behind.
  uint64_t head = 0;
  for (const std::string_view phase : {"messages", "messages, later"}) {
    EMDB_RETURN_IF_ERROR(bed->Run({.name = std::string(phase),
                                   .max_operations = messages,
                                   .max_seconds = 2 * sizing.phase_seconds,
                                   .latency_interval = 1},
                                  [&head, backlog](CheckedSession* session, Worker*) {
                                    const uint64_t taken = head++;
                                    return TakeAndPut(session, taken, taken + backlog);
                                  }));
  }
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload QueueWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  return {.name = "queue",
          .summary = absl::StrCat("a queue of ", cli::WithCommas(sizing.Scaled(kBacklog)),
                                  " messages: find and delete the first record, insert one behind "
                                  "the last, unsynced"),
          .stages = {{.name = "main", .run = run_main}},
          .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
