// The memtable's operations, on keys of 16 decimal digits and values of 100 bytes, in an arena of
// 64 MiB.
//   bazel run --config=opt //kv:memtable_benchmark

#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "kv/memtable.h"
#include "kv/memtable_builder.h"
#include "kv/memtable_iterator.h"

namespace emdb {
namespace {

constexpr uint32_t kRecords = 400000;
constexpr size_t kCapacity = 128 << 20;

enum Order { kAscending, kRandom };

std::vector<std::string> Keys(int64_t order) {
  std::vector<uint32_t> numbers(kRecords);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (order == kRandom) std::shuffle(numbers.begin(), numbers.end(), std::mt19937(1));
  std::vector<std::string> keys;
  keys.reserve(kRecords);
  for (const uint32_t n : numbers) {
    char key[17];
    snprintf(key, sizeof(key), "%016u", n);
    keys.emplace_back(key);
  }
  return keys;
}

std::shared_ptr<Memtable> Fill(const std::shared_ptr<ArenaPool>& pool,
                               const std::vector<std::string>& keys) {
  std::shared_ptr<Memtable> table = *Memtable::Create(pool, kCapacity);
  const std::string value(100, 'v');
  uint64_t seq = 0;
  for (const std::string& key : keys) table->Add(seq++, RecordKind::kPut, key, value);
  return table;
}

void BM_Insert(benchmark::State& state) {
  const std::vector<std::string> keys = Keys(state.range(0));
  auto pool = std::make_shared<ArenaPool>(kCapacity);
  Fill(pool, keys);  // so that the arena's pages are there
  for (auto _ : state) benchmark::DoNotOptimize(Fill(pool, keys));
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_Insert)->Arg(kAscending)->Arg(kRandom)->Unit(benchmark::kMillisecond);

// As batches do.
void BM_InsertMany(benchmark::State& state) {
  const std::vector<std::string> keys = Keys(state.range(0));
  auto pool = std::make_shared<ArenaPool>(kCapacity);
  const std::string value(100, 'v');
  std::vector<Memtable::Change> changes;
  for (const std::string& key : keys) changes.push_back({RecordKind::kPut, key, value});
  const absl::Span<const Memtable::Change> all(changes);
  for (auto _ : state) {
    std::shared_ptr<Memtable> table = *Memtable::Create(pool, kCapacity);
    for (size_t i = 0; i < all.size(); i += Memtable::kMany) {
      table->AddMany(i, all.subspan(i, Memtable::kMany));
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_InsertMany)->Arg(kAscending)->Arg(kRandom)->Unit(benchmark::kMillisecond);

void BM_Build(benchmark::State& state) {
  const std::vector<std::string> keys = Keys(state.range(0));
  auto pool = std::make_shared<ArenaPool>(kCapacity);
  Fill(pool, keys);
  const std::string value(100, 'v');
  for (auto _ : state) {
    std::shared_ptr<Memtable> table = *Memtable::Create(pool, kCapacity);
    MemtableBuilder builder(table.get());
    uint64_t seq = 0;
    for (const std::string& key : keys) builder.Add(seq++, RecordKind::kPut, key, value);
    builder.Finish();
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_Build)->Arg(kAscending)->Arg(kRandom)->Unit(benchmark::kMillisecond);

void BM_Get(benchmark::State& state) {
  const std::vector<std::string> keys = Keys(kRandom);
  std::shared_ptr<Memtable> table = Fill(std::make_shared<ArenaPool>(kCapacity), keys);
  const std::vector<std::string> probes = [&] {
    std::vector<std::string> all = keys;
    std::shuffle(all.begin(), all.end(), std::mt19937(2));
    if (state.range(0) == 1) {
      for (std::string& key : all) key.push_back('.');
    }
    return all;
  }();
  std::string out;
  size_t i = 0;
  for (auto _ : state) {
    std::string_view value;
    if (table->Get(probes[i], UINT64_MAX, &value) == Memtable::Lookup::kFound) out.assign(value);
    benchmark::DoNotOptimize(out);
    if (++i == probes.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Get)->ArgName("missing")->Arg(0)->Arg(1);

// Copies what it finds, as a checkpoint does.
void BM_Scan(benchmark::State& state) {
  std::shared_ptr<Memtable> table = Fill(std::make_shared<ArenaPool>(kCapacity), Keys(kRandom));
  std::string copy;
  for (auto _ : state) {
    MemtableIterator it(table.get(), UINT64_MAX);
    const bool forward = state.range(0) == 0;
    forward ? it.SeekToFirst() : it.SeekToLast();
    for (; it.Valid(); forward ? it.Next() : it.Prev()) {
      copy.assign(it.key()).append(it.value());
      benchmark::DoNotOptimize(copy);
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_Scan)->ArgName("backward")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace emdb
