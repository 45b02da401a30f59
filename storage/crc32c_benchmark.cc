// Bytes a second of the CRC32C, by length and implementation.

#include <benchmark/benchmark.h>

#include <string>

#include "storage/crc32c.h"

namespace emdb {
namespace {

template <uint32_t (*kExtend)(uint32_t, std::string_view)>
void BM_Crc32c(benchmark::State& state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  uint32_t crc = 0;
  for (auto _ : state) benchmark::DoNotOptimize(crc = kExtend(crc, data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_TEMPLATE(BM_Crc32c, ExtendCrc32c)->Arg(24)->Arg(100)->Arg(512)->Arg(4096)->Arg(1 << 20);
BENCHMARK_TEMPLATE(BM_Crc32c, ExtendCrc32cPortable)->Arg(24)->Arg(100)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace emdb
