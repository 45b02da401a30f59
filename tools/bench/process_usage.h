// ProcessUsage: what this process has used so far, by the kernel's account and our count of syncs.

#ifndef EMDB_TOOLS_BENCH_PROCESS_USAGE_H_
#define EMDB_TOOLS_BENCH_PROCESS_USAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace emdb::bench {

struct ProcessUsage {
  double cpu_seconds = 0;   // user and system, all threads
  uint64_t syncs = 0;       // CountSyncs
  uint64_t bytes_read = 0;  // fetched from the block layer

  ProcessUsage operator-(const ProcessUsage& before) const;
};

// I/O reads as 0 where the kernel does not account for it.
ProcessUsage ReadProcessUsage();

// What was written so far to the device that holds `directory`, by whomever: a process's own
// account
// (/proc/PID/io) counts a page when it is dirtied, and the whole of it, which may be 256 KiB for a
// record of 100 bytes. NotFound where no device holds it, as in memory.
absl::StatusOr<uint64_t> DeviceBytesWritten(const std::string& directory);

// Threads of this process but the caller's that run, or wait for a processor or a disk, now.
int CountBusyThreads();

// What the files under `directory` take on disk (allocated blocks, not apparent size).
absl::StatusOr<uint64_t> DiskUsageBytes(const std::string& directory);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_PROCESS_USAGE_H_
