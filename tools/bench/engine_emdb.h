// The adapter of emdb, as it comes: only the cache and memtable sizes are set, as for its peers.

#ifndef EMDB_TOOLS_BENCH_ENGINE_EMDB_H_
#define EMDB_TOOLS_BENCH_ENGINE_EMDB_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo EmdbInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_EMDB_H_
