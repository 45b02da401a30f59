// The adapter of LevelDB, with a bloom filter, no compression, and the cache and memtable sizes of
// its peers.

#ifndef EMDB_TOOLS_BENCH_ENGINE_LEVELDB_H_
#define EMDB_TOOLS_BENCH_ENGINE_LEVELDB_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo LevelDbInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_LEVELDB_H_
