// SideBySide: a small comparison of two databases on the packages of an index: the same records,
// each write durable when it returns, and each value compared with its source while it is timed. It
// is to give an idea in half a minute; tools/bench, whose engines it measures, is the benchmark.

#ifndef EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_
#define EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/engine.h"
#include "tools/quickstart/package_index.h"

namespace emdb::quickstart {

// The rates of one engine in one round, in units a second.
struct Measurement {
  std::string engine;
  double loaded = 0;           // records, in durable batches
  double commits_single = 0;   // durable writes of one record by one thread
  double commits_threads = 0;  // the same by several
  double gets = 0;             // records, in random order
  double scanned = 0;          // records
};

class SideBySide {
 public:
  // `index` is not owned. `seconds` is how long each kind of operation is measured.
  SideBySide(const PackageIndex* index, double seconds);

  // Loads `engine`, which is empty, and measures it under `name`. DataLoss or NotFound if it gives
  // back anything but what was stored.
  absl::StatusOr<Measurement> Measure(std::string_view name, bench::Engine* engine) const;

  static constexpr uint64_t kBatchPackages = 100;
  static constexpr int kThreads = 16;

 private:
  absl::StatusOr<double> MeasureLoad(bench::Engine* engine) const;
  absl::StatusOr<double> MeasureCommits(bench::Engine* engine, int threads) const;
  absl::StatusOr<double> MeasureGets(bench::Engine* engine) const;
  absl::StatusOr<double> MeasureScan(bench::Engine* engine) const;
  // Every record must be there, in order.
  absl::Status CheckScan(bench::Engine* engine) const;

  const PackageIndex* const index_;
  const double seconds_;
  std::vector<Package> sorted_;
};

// A table of the medians of each engine's rounds, with the ratio of the first to the second.
std::string ComparisonTable(const std::vector<Measurement>& first,
                            const std::vector<Measurement>& second);

}  // namespace emdb::quickstart

#endif  // EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_
