// The adapter of SQLite: WAL mode, one WITHOUT ROWID table, prepared statements, a connection a
// session.

#ifndef EMDB_TOOLS_BENCH_ENGINE_SQLITE_H_
#define EMDB_TOOLS_BENCH_ENGINE_SQLITE_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

EngineInfo SqliteInfo();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_SQLITE_H_
