// SideBySide: a small comparison of two databases on the packages of an index: the same records,
// each write durable when it returns, and each value compared with its source while it is timed. It
// is to give an idea in half a minute; tools/bench is the benchmark.

#ifndef EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_
#define EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/quickstart/contender.h"
#include "tools/quickstart/package_index.h"

namespace emdb::quickstart {

// The rates of one contender in one round, in units a second.
struct Measurement {
  std::string contender;
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

  // Loads `contender`, which is empty, and measures it. DataLoss if it gives back anything but what
  // was stored.
  absl::StatusOr<Measurement> Measure(Contender* contender) const;

  static constexpr uint64_t kBatchPackages = 100;
  static constexpr int kThreads = 16;

 private:
  absl::StatusOr<double> MeasureLoad(Contender* contender) const;
  absl::StatusOr<double> MeasureCommits(Contender* contender, int threads) const;
  absl::StatusOr<double> MeasureGets(Contender* contender) const;
  absl::StatusOr<double> MeasureScan(Contender* contender) const;

  const PackageIndex* const index_;
  const double seconds_;
  std::vector<Package> sorted_;
};

// A table of the medians of each contender's rounds, with the ratio of the first to the second.
std::string ComparisonTable(const std::vector<Measurement>& first,
                            const std::vector<Measurement>& second);

}  // namespace emdb::quickstart

#endif  // EMDB_TOOLS_QUICKSTART_SIDE_BY_SIDE_H_
