// What a guard costs a reader, and what retiring costs a writer.

#include <benchmark/benchmark.h>

#include "storage/epoch.h"

namespace emdb {
namespace {

void BM_Guard(benchmark::State& state) {
  Epoch epoch;
  for (auto _ : state) {
    EpochGuard guard(&epoch);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Guard);

void BM_Retire(benchmark::State& state) {
  Epoch epoch;
  uint64_t destroyed = 0;
  for (auto _ : state) epoch.Retire([&destroyed] { ++destroyed; });
  benchmark::DoNotOptimize(destroyed);
}
BENCHMARK(BM_Retire);

}  // namespace
}  // namespace emdb
