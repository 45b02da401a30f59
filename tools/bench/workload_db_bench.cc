// The phases of LevelDB's and RocksDB's db_bench, with its 16-byte keys. Unlike there, fillrandom
// writes each record once, so that readrandom finds all it asks for.

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kDataBytes = uint64_t{116} << 20;
constexpr uint64_t kSyncedPuts = 2'000;
constexpr size_t kKeyBytes = 16;

struct Shape {
  Shape(const Sizing& sizing, size_t value_bytes)
      : seconds(sizing.phase_seconds),
        value_bytes(value_bytes),
        records(sizing.Scaled(kDataBytes / (kKeyBytes + value_bytes))),
        synced(sizing.Scaled(kSyncedPuts)) {
    // A step without a common divisor visits every record once, in an order that looks random.
    constexpr uint64_t kStep = 7'368'787;
    step = kStep;
    while (std::gcd(step, records) != 1) ++step;
  }

  TestBedOptions BedOptions(std::string_view subdirectory) const {
    return {.dataset = {.key_order = KeyOrder::kAscending,
                        .key_bytes = kKeyBytes,
                        .value_bytes = value_bytes,
                        .capacity = records},
            .engine = {},
            .subdirectory = std::string(subdirectory)};
  }

  uint64_t Shuffled(uint64_t i) const { return i * step % records; }

  double seconds;
  size_t value_bytes;
  uint64_t records;
  uint64_t synced;
  uint64_t step;
};

absl::Status RunFillSequential(const Shape& shape, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, shape.BedOptions("fillseq")));
  EMDB_RETURN_IF_ERROR(bed->RunAndSettle({.name = "fillseq", .max_operations = shape.records},
                                         [](CheckedSession* session, Worker* worker) {
                                           return session->Put(worker->operations() - 1,
                                                               Durability::kUnsynced);
                                         }));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

absl::Status RunWrites(const Shape& shape, TestBed* bed) {
  EMDB_RETURN_IF_ERROR(bed->RunAndSettle(
      {.name = "fillrandom", .max_operations = shape.records},
      [&shape](CheckedSession* session, Worker* worker) {
        return session->Put(shape.Shuffled(worker->operations() - 1), Durability::kUnsynced);
      }));
  const auto random_put = [&shape](Durability durability) {
    return [&shape, durability](CheckedSession* session, Worker* worker) {
      return session->Put(worker->random()->Below(shape.records), durability);
    };
  };
  EMDB_RETURN_IF_ERROR(bed->RunAndSettle({.name = "overwrite", .max_operations = shape.records},
                                         random_put(Durability::kUnsynced)));
  EMDB_RETURN_IF_ERROR(bed->RunDurable({.name = "fillsync", .max_operations = shape.synced},
                                       random_put(Durability::kSynced)));
  return bed->engine().Settle();
}

absl::Status RunReads(const Shape& shape, TestBed* bed) {
  EMDB_RETURN_IF_ERROR(bed->Run({.name = "readrandom", .max_seconds = shape.seconds},
                                [&shape](CheckedSession* session, Worker* worker) {
                                  return session->Get(worker->random()->Below(shape.records));
                                }));
  EMDB_RETURN_IF_ERROR(bed->Run({.name = "readmissing", .max_seconds = shape.seconds},
                                [&shape](CheckedSession* session, Worker* worker) {
                                  return session->GetMissing(
                                      worker->random()->Below(shape.records));
                                }));
  EMDB_RETURN_IF_ERROR(bed->ScanAll("readseq", /*forward=*/true));
  EMDB_RETURN_IF_ERROR(bed->ScanAll("readreverse", /*forward=*/false));
  EMDB_RETURN_IF_ERROR(bed->SeekAndRead({.name = "seekrandom", .max_seconds = shape.seconds}, 1,
                                        CheckedSession::CursorUse::kNew));
  return bed->MultiGets(shape.seconds, shape.records);
}

// Two readers beside a writer that overwrites at full speed: a figure for each side.
absl::Status RunReadsWhileWriting(const Shape& shape, StageContext* context, TestBed* bed) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<CheckedSession> writer_session, bed->NewSession());
  std::atomic<bool> is_over = false;
  uint64_t writes = 0;
  // Of the writer itself, which begins before the readers and ends behind them.
  std::chrono::duration<double> writing{};
  absl::Status writer_status;
  std::thread writer([&] {
    Random random(1);
    const auto start = std::chrono::steady_clock::now();
    while (writer_status.ok() && !is_over.load(std::memory_order_relaxed)) {
      writer_status = writer_session->Put(random.Below(shape.records), Durability::kUnsynced);
      ++writes;
    }
    writing = std::chrono::steady_clock::now() - start;
  });
  const absl::StatusOr<Measurement> reads =
      bed->Measure({.name = "readwhilewriting, reads", .threads = 2, .max_seconds = shape.seconds},
                   [&shape](CheckedSession* session, Worker* worker) {
                     return session->GetWhileWritten(worker->random()->Below(shape.records));
                   });
  is_over.store(true, std::memory_order_relaxed);
  writer.join();
  EMDB_RETURN_IF_ERROR(writer_status);
  EMDB_RETURN_IF_ERROR(context->Emit(reads));
  return context->EmitValue("readwhilewriting, writes", Unit::kPerSecond,
                            static_cast<double>(writes) / writing.count());
}

absl::Status RunRest(const Shape& shape, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed,
                        TestBed::Open(context, shape.BedOptions("fillrandom")));
  EMDB_RETURN_IF_ERROR(RunWrites(shape, bed.get()));
  EMDB_RETURN_IF_ERROR(RunReads(shape, bed.get()));
  EMDB_RETURN_IF_ERROR(RunReadsWhileWriting(shape, context, bed.get()));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  EMDB_RETURN_IF_ERROR(bed->RunAndSettle(
      {.name = "deleterandom", .max_operations = shape.records},
      [&shape](CheckedSession* session, Worker* worker) {
        return session->Delete(shape.Shuffled(worker->operations() - 1), Durability::kUnsynced);
      }));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload DbBenchWorkload(const Sizing& sizing, size_t value_bytes) {
  const Shape shape(sizing, value_bytes);
  const auto fill = [shape](StageContext* context) { return RunFillSequential(shape, context); };
  const auto rest = [shape](StageContext* context) { return RunRest(shape, context); };
  return {.name = absl::StrCat("db_bench-", value_bytes),
          .summary = absl::StrCat("the phases of db_bench, ", cli::WithCommas(shape.records),
                                  " records of 16-byte keys and ", cli::WithCommas(value_bytes),
                                  "-byte values, from fillseq to deleterandom"),
          .stages = {{.name = "fillseq", .run = fill},
                     {.name = "rest", .run = rest, .ends_by_kill = false, .reports_memory = true}},
          .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
