#include "tools/bench/profile.h"

namespace emdb::bench {
namespace {

constexpr double kMinute = 60;
// More than an engine uses in the first two seconds.
constexpr uint64_t kWarmBytes = uint64_t{1} << 30;

Profile Smoke() {
  const Sizing tiny{.scale = 0.01, .phase_seconds = 0.05};
  // A second of it.
  const Sizing short_steady{.scale = 0.01, .phase_seconds = 0.003};
  return {.name = "smoke",
          .summary = "every workload and engine at a hundredth of its size: does it work? 1 minute",
          .entries = {{"first-table", 1, tiny},
                      {"commit", 1, tiny},
                      {"redb", 1, tiny},
                      {"db_bench-100", 1, tiny},
                      {"db_bench-1000", 1, tiny},
                      {"ycsb", 1, tiny},
                      {"queue", 1, tiny},
                      {"recovery-64", 1, {.scale = 0.1, .phase_seconds = 0.05}},
                      {"bigger", 1, tiny},
                      {"steady", 1, short_steady},
                      {"steady-writes", 1, short_steady}},
          .engines = {},
          .budget_seconds = kMinute,
          .stage_timeout_seconds = kMinute};
}

Profile FirstTable() {
  const Sizing sizing{.scale = 1, .phase_seconds = 2};
  return {.name = "first-table",
          .summary =
              "1M records: load, durable puts, gets, scan, reopen, sizes; emdb, RocksDB, "
              "LMDB; 5 minutes",
          .entries = {{"first-table", 5, sizing}},
          .engines = {"emdb", "rocksdb", "lmdb"},
          .budget_seconds = 5 * kMinute,
          .stage_timeout_seconds = 2 * kMinute,
          .warm_bytes = kWarmBytes};
}

Profile Commit() {
  return {.name = "commit",
          .summary = "group commit by 1 to 64 threads, 5 times, every engine; 5 minutes",
          .entries = {{"commit", 5, {.scale = 1, .phase_seconds = 1}}},
          .engines = {},
          .budget_seconds = 5 * kMinute,
          .stage_timeout_seconds = 2 * kMinute,
          .warm_bytes = kWarmBytes};
}

// Not first-table, whose phases redb and db_bench have as well.
Profile Standard() {
  const Sizing half{.scale = 0.5, .phase_seconds = 0.5};
  const Sizing fifth{.scale = 0.2, .phase_seconds = 0.5};
  return {.name = "standard",
          .summary =
              "what the published results come from: every engine, all kinds of workload; "
              "20 minutes",
          .entries = {{"commit", 3, {.scale = 1, .phase_seconds = 0.3}},
                      {"redb", 3, half},
                      {"db_bench-100", 3, fifth},
                      {"db_bench-1000", 3, fifth},
                      {"ycsb", 3, half},
                      {"queue", 3, half},
                      {"recovery-64", 3, {.scale = 1, .phase_seconds = 0.5}},
                      {"bigger", 1, {.scale = 0.5, .phase_seconds = 2}},
                      {"steady", 1, {.scale = 1, .phase_seconds = 0.025}},
                      {"steady-writes", 1, {.scale = 1, .phase_seconds = 0.025}}},
          .engines = {},
          .budget_seconds = 16 * kMinute,
          .stage_timeout_seconds = 3 * kMinute,
          .warm_bytes = kWarmBytes};
}

Profile Full() {
  const Sizing normal{.scale = 1, .phase_seconds = 2};
  return {.name = "full",
          .summary =
              "everything at full size, 5M records in the redb shape, 10 minutes of steady "
              "load an engine; hours",
          .entries = {{"first-table", 5, normal},
                      {"commit", 5, normal},
                      {"redb", 5, normal},
                      {"redb-5m", 3, normal},
                      {"db_bench-100", 5, normal},
                      {"db_bench-1000", 5, normal},
                      {"ycsb", 5, normal},
                      {"queue", 5, normal},
                      {"recovery-64", 5, normal},
                      {"recovery-256", 3, normal},
                      {"recovery-1024", 3, normal},
                      {"bigger", 3, {.scale = 1, .phase_seconds = 10}},
                      {"steady", 1, normal},
                      {"steady-writes", 1, normal}},
          .engines = {},
          .budget_seconds = 0,
          .stage_timeout_seconds = 60 * kMinute,
          .warm_bytes = kWarmBytes};
}

}  // namespace

std::vector<Profile> AllProfiles() { return {Smoke(), FirstTable(), Commit(), Standard(), Full()}; }

}  // namespace emdb::bench
