// How many crash states a second a test can look at: one image of a small store and a log, and an
// env opened from it.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "storage/check.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

void BM_CrashImageAndReopen(benchmark::State& state) {
  const uint64_t size = static_cast<uint64_t>(state.range(0));
  FaultEnv env;
  const std::unique_ptr<File> store = *env.OpenFile("s", {.write = true, .create = true});
  const std::unique_ptr<File> log = *env.OpenFile("l", {.write = true, .create = true});
  EMDB_CHECK(store->WriteAt(0, std::string(size, 's')).ok() && store->SyncData().ok());
  EMDB_CHECK(log->WriteAt(0, std::string(size, '\0')).ok() && log->SyncData().ok());
  EMDB_CHECK(log->WriteAt(0, std::string(8192, 'l')).ok());
  EMDB_CHECK((*env.OpenDirectory("."))->Sync().ok());
  RandomChooser chooser(1);
  for (auto _ : state) {
    FaultEnv reopened(env.CrashImage(&chooser));
    benchmark::DoNotOptimize(reopened.OperationCount());
  }
}
BENCHMARK(BM_CrashImageAndReopen)->Arg(1 << 16)->Arg(1 << 20)->Arg(16 << 20);

}  // namespace
}  // namespace emdb
