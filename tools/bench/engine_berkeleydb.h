// The adapter of Berkeley DB: a transactional B-tree in an environment of its own.

#ifndef EMDB_TOOLS_BENCH_ENGINE_BERKELEYDB_H_
#define EMDB_TOOLS_BENCH_ENGINE_BERKELEYDB_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo BerkeleyDbInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_BERKELEYDB_H_
