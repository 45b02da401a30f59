// The core workloads of YCSB (Cooper et al., "Benchmarking cloud serving systems with YCSB", SoCC
// 2010) on one thread, with 1,000-byte values.

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/bench/zipfian.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kRecords = 200'000;
constexpr uint64_t kMaxScanRows = 100;

// What the operations of all mixes share.
class Mixes {
 public:
  explicit Mixes(uint64_t records) : zipfian_(records), end_(records) {}

  absl::Status Read(CheckedSession* session, Worker* worker) {
    return session->Get(zipfian_.Scrambled(worker->random()));
  }
  absl::Status Update(CheckedSession* session, Worker* worker) {
    return session->Put(zipfian_.Scrambled(worker->random()), Durability::kUnsynced);
  }
  absl::Status ReadModifyWrite(CheckedSession* session, Worker* worker) {
    const uint64_t id = zipfian_.Scrambled(worker->random());
    EMDB_RETURN_IF_ERROR(session->Get(id));
    return session->Put(id, Durability::kUnsynced);
  }
  absl::Status ReadLatest(CheckedSession* session, Worker* worker) {
    return session->Get(end_ - 1 - zipfian_.Rank(worker->random()));
  }
  // Adds a record; when there is no more room in the dataset, overwrites.
  absl::Status Insert(CheckedSession* session, Worker* worker, uint64_t capacity) {
    if (end_ == capacity) return Update(session, worker);
    return session->Put(end_++, Durability::kUnsynced);
  }
  absl::Status Scan(CheckedSession* session, Worker* worker, SeekLog* log) {
    const auto rows = static_cast<int>(1 + worker->random()->Below(kMaxScanRows));
    return session->SeekAndRead(zipfian_.Scrambled(worker->random()), rows,
                                CheckedSession::CursorUse::kNew, log);
  }

 private:
  const Zipfian zipfian_;
  uint64_t end_;
};

bool Percent(Worker* worker, uint64_t percent) { return worker->random()->Below(100) < percent; }

absl::Status RunScans(const PhaseOptions& options, Mixes* mixes, TestBed* bed) {
  // Inserted records may stand between those that were there before; none of these may be missing.
  const std::vector<uint32_t> live = bed->dataset().LiveIdsInKeyOrder();
  const uint64_t capacity = bed->dataset().capacity();
  SeekLog log;
  EMDB_RETURN_IF_ERROR(bed->Run(options, [&](CheckedSession* session, Worker* worker) {
    return Percent(worker, 95) ? mixes->Scan(session, worker, &log)
                               : mixes->Insert(session, worker, capacity);
  }));
  return log.Verify(bed->dataset(), live);
}

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  const uint64_t records = sizing.Scaled(kRecords);
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, {.dataset = {.key_order = KeyOrder::kRandom,
                                                            .key_bytes = 24,
                                                            .value_bytes = 1000,
                                                            .capacity = records * 2},
                                                .engine = {},
                                                .subdirectory = ""}));
  const uint64_t capacity = bed->dataset().capacity();
  EMDB_RETURN_IF_ERROR(bed->Load("load", 0, records));
  EMDB_RETURN_IF_ERROR(bed->engine().Settle());
  Mixes mixes(records);
  const auto phase = [&sizing](const char* name) {
    return PhaseOptions{.name = name, .max_seconds = sizing.phase_seconds};
  };
  EMDB_RETURN_IF_ERROR(
      bed->RunAndSettle(phase("A: 50% reads, 50% updates"), [&](CheckedSession* s, Worker* w) {
        return Percent(w, 50) ? mixes.Read(s, w) : mixes.Update(s, w);
      }));
  EMDB_RETURN_IF_ERROR(
      bed->Run(phase("B: 95% reads, 5% updates"), [&](CheckedSession* s, Worker* w) {
        return Percent(w, 95) ? mixes.Read(s, w) : mixes.Update(s, w);
      }));
  EMDB_RETURN_IF_ERROR(
      bed->Run(phase("C: reads"), [&](CheckedSession* s, Worker* w) { return mixes.Read(s, w); }));
  EMDB_RETURN_IF_ERROR(
      bed->Run(phase("D: 95% latest reads, 5% inserts"), [&](CheckedSession* s, Worker* w) {
        return Percent(w, 95) ? mixes.ReadLatest(s, w) : mixes.Insert(s, w, capacity);
      }));
  EMDB_RETURN_IF_ERROR(RunScans(phase("E: 95% scans, 5% inserts"), &mixes, bed.get()));
  EMDB_RETURN_IF_ERROR(bed->RunAndSettle(
      phase("F: 50% reads, 50% read-modify-write"), [&](CheckedSession* s, Worker* w) {
        return Percent(w, 50) ? mixes.Read(s, w) : mixes.ReadModifyWrite(s, w);
      }));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload YcsbWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  return {
      .name = "ycsb",
      .summary = absl::StrCat("YCSB A to F, zipfian, ", cli::WithCommas(sizing.Scaled(kRecords)),
                              " records of 24-byte keys and 1,000-byte values, one thread, "
                              "unsynced"),
      .stages = {{.name = "main", .run = run_main, .ends_by_kill = false, .reports_memory = true}},
      .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
