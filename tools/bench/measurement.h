// Measurement: what one phase of a workload came to for one engine in one repetition. Failure: that
// it went wrong. Both go as a line of JSON from the child that measured to the runner, and into the
// results file.

#ifndef EMDB_TOOLS_BENCH_MEASUREMENT_H_
#define EMDB_TOOLS_BENCH_MEASUREMENT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/histogram.h"
#include "tools/bench/json.h"

namespace emdb::bench {

enum class Unit { kPerSecond, kSeconds, kBytes, kRatio };

// "op/s", "s", "bytes", "x".
std::string_view UnitName(Unit unit);
inline bool HigherIsBetter(Unit unit) { return unit == Unit::kPerSecond; }

// One second of a phase that records how it went.
struct SecondOfSeries {
  uint64_t operations = 0;
  uint64_t p999_ns = 0;
};

struct Measurement {
  std::string workload;
  std::string phase;
  std::string engine;
  int repetition = 0;

  Unit unit = Unit::kPerSecond;
  double value = 0;

  // Of the timed loop; 0 where there was none.
  uint64_t operations = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  uint64_t syncs = 0;
  uint64_t bytes_read = 0;    // from the block layer, by the kernel's account of this process
  uint64_t minor_faults = 0;  // page faults; of whole processes only
  uint64_t major_faults = 0;
  // The disk by itself, beside durable phases: median of a 128-byte pwrite and fdatasync.
  uint64_t probe_p50_ns = 0;
  LatencySummary latency;
  std::vector<SecondOfSeries> series;

  // Adds what `more` took to this rate: the same operations, with work that followed them.
  void Extend(const Measurement& more);

  JsonValue ToJson() const;
  static Measurement FromJson(const JsonValue& json);
};

struct Failure {
  std::string workload;
  std::string engine;
  int repetition = 0;
  std::string message;
  bool is_skip = false;  // it cannot be measured here; the message says why

  JsonValue ToJson() const;
  static Failure FromJson(const JsonValue& json);
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_MEASUREMENT_H_
