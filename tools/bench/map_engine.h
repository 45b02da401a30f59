// MapEngine: a std::map as an engine, for tests of the benchmark itself; and what it can be told to
// do wrong. All of its sessions share one map under one lock; nothing reaches a disk.

#ifndef EMDB_TOOLS_BENCH_MAP_ENGINE_H_
#define EMDB_TOOLS_BENCH_MAP_ENGINE_H_

#include "tools/bench/engine.h"

namespace emdb::bench {

enum class Defect {
  kNone,
  kDropsPut,        // one put in a hundred is acknowledged and forgotten
  kDropsOverwrite,  // one in a hundred, of puts of keys that are there
  kDropsDelete,     // one deletion in a hundred
  kFlipsBit,        // in one value in a hundred that is read
  kSkipsRow,        // one row in twenty of a cursor's walk
  kRepeatsRow,      // the same, twice instead of not at all
  kEndsEarly,       // a cursor's walk is over after twenty rows
  kMixesUpValues,   // one read in a hundred returns the next record's value
  kMiscounts,       // Count is one too low
  kTearsBatch,      // one batch in two loses its last operation
  kFails,           // one put in a hundred returns an error
  kCrashes,         // the process ends in the middle of a put
};

EngineInfo MapEngineInfo(Defect defect);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_MAP_ENGINE_H_
