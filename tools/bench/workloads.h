// The list of workloads. Each has a file of its own, workload_<name>.cc.

#ifndef EMDB_TOOLS_BENCH_WORKLOADS_H_
#define EMDB_TOOLS_BENCH_WORKLOADS_H_

#include <vector>

#include "tools/bench/workload.h"

namespace emdb::bench {

// In the order in which reports show them.
std::vector<Workload> AllWorkloads(const Sizing& sizing);

Workload FirstTableWorkload(const Sizing& sizing);
// With 1 or 5 million records.
Workload RedbWorkload(const Sizing& sizing, uint64_t millions);
// With values of 100 or 1,000 bytes.
Workload DbBenchWorkload(const Sizing& sizing, size_t value_bytes);
Workload CommitWorkload(const Sizing& sizing);
Workload YcsbWorkload(const Sizing& sizing);
Workload QueueWorkload(const Sizing& sizing);
Workload RecoveryWorkload(const Sizing& sizing, uint64_t log_megabytes);
Workload BiggerWorkload(const Sizing& sizing);
Workload SteadyWorkload(const Sizing& sizing);
Workload SteadyWritesWorkload(const Sizing& sizing);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_WORKLOADS_H_
