// Four times as much data as memory, the page cache included.

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/process_usage.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kMemoryBytes = uint64_t{256} << 20;
constexpr uint64_t kDataPerMemory = 4;
constexpr size_t kKeyBytes = 16;
constexpr size_t kValueBytes = 240;
// The program, its libraries and the harness need some of it.
constexpr uint64_t kLeastMemoryBytes = uint64_t{32} << 20;

struct Shape {
  explicit Shape(const Sizing& sizing)
      : memory_bytes(std::max(kLeastMemoryBytes, sizing.Scaled(kMemoryBytes))),
        records(kDataPerMemory * memory_bytes / (kKeyBytes + kValueBytes)),
        seconds(sizing.phase_seconds),
        idle_time(2 * sizing.phase_seconds) {}

  uint64_t memory_bytes;
  uint64_t records;
  double seconds;
  // For what an engine puts off until nothing is asked of it: it is part of what it writes.
  std::chrono::duration<double> idle_time;
};

absl::Status RunWrites(const Shape& shape, StageContext* context, TestBed* bed) {
  const absl::StatusOr<uint64_t> written_before = DeviceBytesWritten(context->directory());
  EMDB_ASSIGN_OR_RETURN(
      Measurement writes,
      bed->Measure({.name = "random writes, settled", .max_seconds = 3 * shape.seconds},
                   [&shape](CheckedSession* session, Worker* worker) {
                     return session->Put(worker->random()->Below(shape.records),
                                         Durability::kUnsynced);
                   }));
  EMDB_ASSIGN_OR_RETURN(const Measurement settle,
                        TimeCall("settling", context->progress(), [bed]() -> absl::Status {
                          EMDB_RETURN_IF_ERROR(bed->engine().Settle());
                          return bed->engine().Flush();
                        }));
  writes.Extend(settle);
  const double bytes = static_cast<double>(writes.operations * bed->dataset().record_bytes());
  EMDB_RETURN_IF_ERROR(context->Emit(std::move(writes)));
  if (absl::IsNotFound(written_before.status())) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(written_before.status());
  context->progress()->BeginPhase("idle");
  std::this_thread::sleep_for(shape.idle_time);
  EMDB_RETURN_IF_ERROR(bed->engine().Flush());
  EMDB_ASSIGN_OR_RETURN(const uint64_t written, DeviceBytesWritten(context->directory()));
  const double bytes_per_byte = static_cast<double>(written - *written_before) / bytes;
  return context->EmitValue("bytes written per byte", Unit::kRatio, bytes_per_byte);
}

absl::Status RunMain(const Shape& shape, StageContext* context) {
  TestBedOptions options;
  options.dataset = {.key_order = KeyOrder::kAscending,
                     .key_bytes = kKeyBytes,
                     .value_bytes = kValueBytes,
                     .capacity = shape.records};
  options.engine.cache_bytes = shape.memory_bytes / 2;
  options.engine.exceeds_memory = true;
  options.engine.write_buffer_bytes = shape.memory_bytes / 16;
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Open(context, options));
  EMDB_RETURN_IF_ERROR(bed->Load("sequential load", 0, shape.records));
  EMDB_RETURN_IF_ERROR(bed->engine().Settle());
  EMDB_RETURN_IF_ERROR(bed->Run({.name = "random reads", .max_seconds = 2 * shape.seconds},
                                [&shape](CheckedSession* session, Worker* worker) {
                                  return session->Get(worker->random()->Below(shape.records));
                                }));
  EMDB_RETURN_IF_ERROR(bed->MultiGets(shape.seconds, shape.records));
  EMDB_RETURN_IF_ERROR(RunWrites(shape, context, bed.get()));
  EMDB_RETURN_IF_ERROR(
      bed->Run({.name = "random reads after writes", .max_seconds = 2 * shape.seconds},
               [&shape](CheckedSession* session, Worker* worker) {
                 return session->Get(worker->random()->Below(shape.records));
               }));
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  EMDB_RETURN_IF_ERROR(bed->Close());
  return bed->DiskUsage("size on disk");
}

}  // namespace

Workload BiggerWorkload(const Sizing& sizing) {
  const Shape shape(sizing);
  const auto run_main = [shape](StageContext* context) { return RunMain(shape, context); };
  return {
      .name = "bigger",
      .summary = absl::StrCat(
          "4 times as much data as memory (a cgroup's limit of ", shape.memory_bytes >> 20,
          " MiB): cold random reads, random writes, bytes that the device wrote per byte"),
      .stages = {{.name = "main", .run = run_main, .ends_by_kill = false, .reports_memory = true}},
      .memory_limit_bytes = shape.memory_bytes};
}

}  // namespace emdb::bench
