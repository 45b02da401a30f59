// Results: all that a run has found, and what it ran on. Kept as lines of JSON, one a measurement,
// so that a run that is cut short leaves a file that reads well up to there.

#ifndef EMDB_TOOLS_BENCH_RESULTS_H_
#define EMDB_TOOLS_BENCH_RESULTS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/json.h"
#include "tools/bench/measurement.h"

namespace emdb::bench {

struct EngineDescription {
  std::string name;
  std::string version;
  std::string setup;
  std::string durability;
};

struct RunDescription {
  std::string date;     // UTC
  std::string command;  // that repeats it
  std::string profile;
  std::vector<std::pair<std::string, std::string>> machine;    // name and value, for people
  std::vector<EngineDescription> engines;                      // in the order of reports
  std::vector<std::pair<std::string, std::string>> workloads;  // name and summary, in that order

  JsonValue ToJson() const;
  static RunDescription FromJson(const JsonValue& json);
};

struct Results {
  RunDescription run;
  std::vector<Measurement> measurements;
  std::vector<Failure> failures;
  bool is_complete = false;  // ran to its end

  // One JSON value a line.
  std::string ToJsonLines() const;
  // A last line that is cut off is left out.
  static absl::StatusOr<Results> FromJsonLines(std::string_view text);
};

// Replaces the file as a whole.
absl::Status WriteFile(const std::string& path, std::string_view contents);
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_RESULTS_H_
