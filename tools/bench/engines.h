// The list of engines.

#ifndef EMDB_TOOLS_BENCH_ENGINES_H_
#define EMDB_TOOLS_BENCH_ENGINES_H_

#include <vector>

#include "tools/bench/engine.h"

namespace emdb::bench {

// emdb first, then its peers.
std::vector<EngineInfo> AllEngines();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINES_H_
