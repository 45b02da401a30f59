#include "tools/bench/workloads.h"

namespace emdb::bench {

std::vector<Workload> AllWorkloads(const Sizing& sizing) {
  return {
      FirstTableWorkload(sizing),    CommitWorkload(sizing),         RedbWorkload(sizing, 1),
      RedbWorkload(sizing, 5),       DbBenchWorkload(sizing, 100),   DbBenchWorkload(sizing, 1000),
      YcsbWorkload(sizing),          QueueWorkload(sizing),          RecoveryWorkload(sizing, 64),
      RecoveryWorkload(sizing, 256), RecoveryWorkload(sizing, 1024), BiggerWorkload(sizing),
      SteadyWorkload(sizing),        SteadyWritesWorkload(sizing),
  };
}

}  // namespace emdb::bench
