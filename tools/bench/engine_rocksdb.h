// The adapter of RocksDB, in two configurations: as it comes, and tuned for this machine by what
// its own tuning guide says.

#ifndef EMDB_TOOLS_BENCH_ENGINE_ROCKSDB_H_
#define EMDB_TOOLS_BENCH_ENGINE_ROCKSDB_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo RocksDbTunedInfo();
EngineInfo RocksDbDefaultInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_ROCKSDB_H_
