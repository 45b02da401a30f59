// Profile: a named choice of workloads, engines, sizes and repetitions.

#ifndef EMDB_TOOLS_BENCH_PROFILE_H_
#define EMDB_TOOLS_BENCH_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/workload.h"

namespace emdb::bench {

struct ProfileEntry {
  std::string workload;
  int repetitions = 1;
  Sizing sizing;
};

struct Profile {
  std::string name;
  std::string summary;  // one line
  std::vector<ProfileEntry> entries;
  std::vector<std::string> engines;  // none: all
  double budget_seconds = 0;         // see Plan
  double stage_timeout_seconds = 0;  // see Plan
  uint64_t warm_bytes = 0;           // see Plan
};

std::vector<Profile> AllProfiles();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_PROFILE_H_
