// TestBed: an open engine, the dataset that says what is in it, and the phases that several
// workloads share. Each phase checks all it reads, sends its measurement to the report, and returns
// the first error, be it the engine's or a wrong answer.

#ifndef EMDB_TOOLS_BENCH_TEST_BED_H_
#define EMDB_TOOLS_BENCH_TEST_BED_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/checked_session.h"
#include "tools/bench/dataset.h"
#include "tools/bench/engine.h"
#include "tools/bench/phase.h"
#include "tools/bench/workload.h"

namespace emdb::bench {

struct TestBedOptions {
  DatasetOptions dataset;
  EngineOptions engine;      // without the directory
  std::string subdirectory;  // of the stage's; empty: that one itself
};

class TestBed {
 public:
  // Opens the store that is there, or makes one.
  static absl::StatusOr<std::unique_ptr<TestBed>> Open(StageContext* context,
                                                       const TestBedOptions& options);

  Dataset& dataset() { return dataset_; }
  Engine& engine() { return *engine_; }
  absl::StatusOr<std::unique_ptr<CheckedSession>> NewSession();

  // One operation on a thread's session.
  using Operation = absl::FunctionRef<absl::Status(CheckedSession* session, Worker* worker)>;
  // Repeats `operation` until the phase is over.
  absl::Status Run(const PhaseOptions& options, Operation operation);
  // The same, with each operation timed and a probe of the disk beside it: for durable writes.
  absl::Status RunDurable(const PhaseOptions& options, Operation operation);
  // The same two without sending the measurement; which operations are timed is left to `options`.
  absl::StatusOr<Measurement> Measure(const PhaseOptions& options, Operation operation);
  absl::StatusOr<Measurement> MeasureDurable(const PhaseOptions& options, Operation operation);
  // Run, and then the rate of the same operations with the time until the engine has settled after
  // them, as <phase>, settled.
  absl::Status RunAndSettle(const PhaseOptions& options, Operation operation);

  // Loads ids [begin, end) in the order of ids, by the engine's own way of loading.
  absl::Status Load(std::string_view phase, uint64_t begin, uint64_t end);
  // Load, and then the rate with the time until the engine has settled, as <phase>, settled.
  absl::Status LoadAndSettle(std::string_view phase, uint64_t begin, uint64_t end);
  // The same records without a measurement.
  absl::Status LoadQuietly(uint64_t begin, uint64_t end);
  // Flushes, as part of the figure; reported as operations a second over both.
  absl::Status RunThenFlush(const PhaseOptions& options, Operation operation);

  absl::Status ScanAll(std::string_view phase, bool forward);
  absl::Status Count(std::string_view phase);
  absl::Status SeekAndRead(const PhaseOptions& options, int rows, CheckedSession::CursorUse use);
  // MultiGets of 32 of the first `records` records, by one thread.
  absl::Status MultiGets(double seconds, uint64_t records);
  absl::Status Settle(std::string_view phase);
  absl::Status Compact(std::string_view phase);
  absl::Status DiskUsage(std::string_view phase);
  absl::Status Close();

  // Reads everything and compares it with the dataset, outside of any measurement.
  absl::Status VerifyAll();

 private:
  TestBed(StageContext* context, const TestBedOptions& options);

  absl::StatusOr<Measurement> MeasureLoad(std::string_view phase, uint64_t begin, uint64_t end);
  // See RunAndSettle.
  absl::Status SendAndSettle(Measurement work);
  absl::Status SendTimed(std::string_view phase, absl::FunctionRef<absl::Status()> call);

  StageContext* const context_;
  const std::string directory_;
  Dataset dataset_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_TEST_BED_H_
