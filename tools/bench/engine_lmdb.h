// The adapter of LMDB, with its defaults: writes through the page cache, no write map.

#ifndef EMDB_TOOLS_BENCH_ENGINE_LMDB_H_
#define EMDB_TOOLS_BENCH_ENGINE_LMDB_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo LmdbInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_LMDB_H_
