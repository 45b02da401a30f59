// ProbeDisk: what one durable write costs on this disk without any database, to stand beside the
// figures of those that make them: a loop of a 128-byte pwrite into a written-out file and an
// fdatasync.

#ifndef EMDB_TOOLS_BENCH_DISK_PROBE_H_
#define EMDB_TOOLS_BENCH_DISK_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "tools/bench/histogram.h"

namespace emdb::bench {

inline constexpr int kProbeWrites = 200;  // enough for a median, in some 20 ms

// Uses a file in `directory`, which is removed.
absl::StatusOr<LatencySummary> ProbeDisk(const std::string& directory, int writes);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_DISK_PROBE_H_
