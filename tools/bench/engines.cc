#include "tools/bench/engines.h"

#include "tools/bench/engine_berkeleydb.h"
#include "tools/bench/engine_emdb.h"
#include "tools/bench/engine_leveldb.h"
#include "tools/bench/engine_lmdb.h"
#include "tools/bench/engine_rocksdb.h"
#include "tools/bench/engine_sqlite.h"

namespace emdb::bench {

std::vector<EngineInfo> AllEngines() {
  return {EmdbInfo(), RocksDbTunedInfo(), RocksDbDefaultInfo(), LevelDbInfo(),
          LmdbInfo(), SqliteInfo(),       BerkeleyDbInfo()};
}

}  // namespace emdb::bench
