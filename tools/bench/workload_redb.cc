// The shape of the benchmark that redb publishes (https://github.com/cberner/redb), which emdb-rs
// uses as well.

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"
#include "tools/cli/progress.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kDurablePuts = 5'000;
constexpr uint64_t kBatches = 50;
constexpr uint64_t kBatchRecords = 1'000;
// Half of the write buffer.
constexpr uint64_t kUnsyncedPuts = 200'000;
constexpr uint64_t kWriteBufferBytes = uint64_t{64} << 20;

struct Shape {
  Shape(const Sizing& sizing, uint64_t millions)
      : seconds(sizing.phase_seconds),
        loaded(sizing.Scaled(millions * 1'000'000)),
        durable(sizing.Scaled(kDurablePuts)),
        batches(std::max<uint64_t>(1, sizing.Scaled(kBatches * kBatchRecords) / kBatchRecords)),
        unsynced(sizing.Scaled(kUnsyncedPuts)),
        write_buffer_bytes(sizing.Scaled(kWriteBufferBytes)) {}

  uint64_t total() const { return loaded + durable + batches * kBatchRecords + unsynced; }

  double seconds;
  uint64_t loaded;
  uint64_t durable;
  uint64_t batches;
  uint64_t unsynced;
  uint64_t write_buffer_bytes;
};

// The batch of ids that begins at `first`.
std::vector<uint64_t> Ids(uint64_t first, uint64_t count, uint64_t step) {
  std::vector<uint64_t> ids(count);
  for (uint64_t i = 0; i < count; ++i) ids[i] = first + i * step;
  return ids;
}

absl::Status RunWrites(const Shape& shape, TestBed* bed) {
  EMDB_RETURN_IF_ERROR(bed->LoadAndSettle("bulk load", 0, shape.loaded));
  EMDB_RETURN_IF_ERROR(bed->RunDurable(
      {.name = "durable single writes", .max_operations = shape.durable},
      [&shape](CheckedSession* session, Worker* worker) {
        return session->Put(shape.loaded + worker->operations() - 1, Durability::kSynced);
      }));
  const uint64_t first_batched = shape.loaded + shape.durable;
  EMDB_RETURN_IF_ERROR(bed->RunDurable(
      {.name = "durable batches of 1,000, rows", .max_operations = shape.batches},
      [first_batched](CheckedSession* session, Worker* worker) {
        const uint64_t begin = first_batched + (worker->operations() - 1) * kBatchRecords;
        worker->CountRows(kBatchRecords);
        return session->PutBatch(Ids(begin, kBatchRecords, 1), Durability::kSynced);
      }));
  EMDB_RETURN_IF_ERROR(bed->engine().Settle());
  const uint64_t first = first_batched + shape.batches * kBatchRecords;
  EMDB_RETURN_IF_ERROR(
      bed->Run({.name = "unsynced single writes", .max_operations = shape.unsynced},
               [first](CheckedSession* session, Worker* worker) {
                 return session->Put(first + worker->operations() - 1, Durability::kUnsynced);
               }));
  // Of records that were there before; in the order of keys the new ones stand between them.
  EMDB_RETURN_IF_ERROR(
      bed->Run({.name = "random reads, write buffer half full", .max_seconds = shape.seconds},
               [&shape](CheckedSession* session, Worker* worker) {
                 return session->Get(worker->random()->Below(shape.loaded));
               }));
  return bed->Settle("settle after writes");
}

absl::Status RunReads(const Shape& shape, TestBed* bed) {
  EMDB_RETURN_IF_ERROR(bed->Count("count"));
  const auto random_read = [total = shape.total()](CheckedSession* session, Worker* worker) {
    return session->Get(worker->random()->Below(total));
  };
  EMDB_RETURN_IF_ERROR(
      bed->Run({.name = "random reads", .max_seconds = shape.seconds}, random_read));
  EMDB_RETURN_IF_ERROR(bed->SeekAndRead({.name = "seek + 10 rows", .max_seconds = shape.seconds},
                                        10, CheckedSession::CursorUse::kReuse));
  for (const int threads : {4, 8}) {
    EMDB_RETURN_IF_ERROR(bed->Run({.name = absl::StrCat("random reads, ", threads, " threads"),
                                   .threads = threads,
                                   .max_seconds = shape.seconds},
                                  random_read));
  }
  return bed->DiskUsage("size after writes");
}

absl::Status RunRemoval(const Shape& shape, TestBed* bed) {
  const uint64_t removals = shape.total() / 2;
  const uint64_t batches = (removals + kBatchRecords - 1) / kBatchRecords;
  EMDB_RETURN_IF_ERROR(bed->RunThenFlush(
      {.name = "removal of half, rows", .max_operations = batches, .latency_interval = 1},
      [removals](CheckedSession* session, Worker* worker) {
        const uint64_t begin = (worker->operations() - 1) * kBatchRecords;
        const uint64_t count = std::min(kBatchRecords, removals - begin);
        worker->CountRows(count);
        return session->DeleteBatch(Ids(begin * 2, count, 2), Durability::kUnsynced);
      }));
  EMDB_RETURN_IF_ERROR(bed->Settle("settle after removal"));
  EMDB_RETURN_IF_ERROR(bed->DiskUsage("size after removal"));
  EMDB_RETURN_IF_ERROR(bed->Compact("compaction"));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  EMDB_RETURN_IF_ERROR(bed->Close());
  return bed->DiskUsage("size after removal and compaction");
}

absl::Status RunMain(const Shape& shape, StageContext* context) {
  TestBedOptions options;
  options.dataset = {.key_order = KeyOrder::kRandom,
                     .key_bytes = 24,
                     .value_bytes = 150,
                     .capacity = shape.total()};
  options.engine.write_buffer_bytes = shape.write_buffer_bytes;
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Open(context, options));
  EMDB_RETURN_IF_ERROR(RunWrites(shape, bed.get()));
  EMDB_RETURN_IF_ERROR(RunReads(shape, bed.get()));
  return RunRemoval(shape, bed.get());
}

}  // namespace

Workload RedbWorkload(const Sizing& sizing, uint64_t millions) {
  const Shape shape(sizing, millions);
  const auto run_main = [shape](StageContext* context) { return RunMain(shape, context); };
  return {
      .name = millions == 1 ? "redb" : absl::StrCat("redb-", millions, "m"),
      .summary = absl::StrCat("the shape that redb publishes, ", cli::WithCommas(shape.loaded),
                              " records of 24-byte random keys and 150-byte values: load, "
                              "writes, reads, removal, compaction"),
      .stages = {{.name = "main", .run = run_main, .ends_by_kill = false, .reports_memory = true}},
      .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
