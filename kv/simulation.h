// Simulation: several lives of one store on a simulated disk, all decided by one seed: writes,
// reads, snapshots, checkpoints and reopenings; operations of the disk that fail, once or from then
// on; kills and power cuts, also during recovery. A CommitModel says what must and what may be
// found.
//
// One thread uses the database; which of the database's own goes on is decided by the seed, too
// (storage/thread_scheduler.h), so that a seed gives the same run each time. Under a sanitizer
// threads run as they like, and runs of a seed are similar.

#ifndef EMDB_KV_SIMULATION_H_
#define EMDB_KV_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/env.h"
#include "storage/fault_env.h"
#include "storage/thread_scheduler.h"

namespace emdb {

struct SimulationOptions {
  uint64_t lives = 8;
  uint64_t operations_per_life = 40;  // at most
  // Syncs by the clock, and checkpoints because the memtable is full, and not only when they are
  // asked for.
  bool background_work = false;
  bool prints_story = false;  // at once, for a run that ends in a crash
  // Puts something between the database and the disk; null: nothing.
  std::function<std::unique_ptr<Env>(Env*)> wrap_env = nullptr;
};

struct SimulationResult {
  std::string failure;             // "": none
  std::vector<std::string> story;  // what was done, a line each
  uint64_t operations = 0;
  uint64_t kills = 0;
  uint64_t power_cuts = 0;
  uint64_t cut_recoveries = 0;        // of the power cuts, those that hit an Open
  uint64_t recoveries_cut_again = 0;  // of these, behind another one
  uint64_t faults = 0;                // operations of the disk that failed while there was power
  uint64_t disk_operations = 0;
  ThreadScheduler::Counts threads;
};

SimulationResult Simulate(uint64_t seed, const SimulationOptions& options = {});

}  // namespace emdb

#endif  // EMDB_KV_SIMULATION_H_
