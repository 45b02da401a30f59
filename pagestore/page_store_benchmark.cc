// Reads, scans and merges of a store on a real file: 24-byte random keys, 150-byte values. The file
// is made in TEST_TMPDIR or /tmp and removed at the end.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "pagestore/change_source.h"
#include "pagestore/page_store.h"
#include "storage/check.h"
#include "storage/coding.h"

namespace emdb {
namespace {

constexpr size_t kKeyBytes = 24;
constexpr size_t kValueBytes = 150;
constexpr size_t kBatch = 32;

class SortedSource : public ChangeSource {
 public:
  SortedSource(const std::vector<std::string>& keys, std::string_view value)
      : keys_(keys), value_(value) {}

  bool Valid() const override { return at_ < keys_.size(); }
  void Next() override { ++at_; }
  std::string_view key() const override { return keys_[at_]; }
  std::string_view value() const override { return value_; }
  bool is_deletion() const override { return false; }

 private:
  const std::vector<std::string>& keys_;
  const std::string_view value_;
  size_t at_ = 0;
};

std::vector<std::string> RandomKeys(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> keys(count);
  for (std::string& key : keys) {
    key.resize(kKeyBytes);
    for (char& byte : key) byte = static_cast<char>(random());
  }
  return keys;
}

// A new store, whose file goes with it.
struct BenchmarkStore {
  BenchmarkStore() {
    const char* directory = std::getenv("TEST_TMPDIR");
    path = std::string(directory == nullptr ? "/tmp" : directory) + "/page_store_benchmark.emdb";
    std::filesystem::remove(path);
    PageStoreOptions options;
    options.cache_size_bytes = size_t{512} << 20;
    auto opened = PageStore::Open(path, options);
    EMDB_CHECK(opened.ok());
    store = *std::move(opened);
  }
  ~BenchmarkStore() {
    store.reset();
    std::filesystem::remove(path);
  }
  BenchmarkStore(const BenchmarkStore&) = delete;
  BenchmarkStore& operator=(const BenchmarkStore&) = delete;

  std::string path;
  std::unique_ptr<PageStore> store;
};

// A store of `records` records, all of it in memory if `warm`.
class LoadedStore {
 public:
  explicit LoadedStore(size_t records) : keys_(RandomKeys(records, 1)), value_(kValueBytes, 'v') {
    Put(keys_);
    Warm();
  }

  PageStore* store() { return made_.store.get(); }
  const std::vector<std::string>& keys() const { return keys_; }  // in the order they were drawn
  void Put(std::vector<std::string> keys) {
    std::sort(keys.begin(), keys.end());
    SortedSource source(keys, value_);
    EMDB_CHECK(store()->Checkpoint(store()->next_seq() + keys.size(), &source).ok());
  }

 private:
  void Warm() {
    const View view = store()->GetView();
    std::string value;
    for (const std::string& key : keys_) EMDB_CHECK(view.Get(key, &value).ok());
  }

  std::vector<std::string> keys_;
  const std::string value_;
  BenchmarkStore made_;
};

void BM_Get(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  const View view = loaded.store()->GetView();
  std::string value;
  size_t next = 0;
  for (auto _ : state) {
    EMDB_CHECK(view.Get(loaded.keys()[next], &value).ok());
    benchmark::DoNotOptimize(value.data());
    // The next key depends on the value: the latency of a get, not how many overlap.
    next = (next + 1 + static_cast<size_t>(value[0] == 'x')) % loaded.keys().size();
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_GetMissing(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  const std::vector<std::string> missing = RandomKeys(1 << 16, 2);
  const View view = loaded.store()->GetView();
  std::string value;
  size_t next = 0;
  for (auto _ : state) {
    EMDB_CHECK(!view.Get(missing[next++ % missing.size()], &value).ok());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_MultiGet(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  const View view = loaded.store()->GetView();
  std::array<std::string_view, kBatch> keys;
  std::array<std::string, kBatch> values;
  std::array<absl::Status, kBatch> statuses;
  const absl::Status not_found = absl::NotFoundError("");
  size_t next = 0;
  for (auto _ : state) {
    for (std::string_view& key : keys) key = loaded.keys()[next++ % loaded.keys().size()];
    statuses.fill(not_found);
    view.MultiGet(keys, absl::MakeSpan(values), absl::MakeSpan(statuses));
    for (const absl::Status& status : statuses) EMDB_CHECK(status.ok());
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void BM_Scan(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  const View view = loaded.store()->GetView();
  const bool forward = state.range(1) != 0;
  for (auto _ : state) {
    const std::unique_ptr<Cursor> cursor = view.NewCursor();
    size_t rows = 0;
    for (forward ? cursor->SeekToFirst() : cursor->SeekToLast(); cursor->Valid();
         forward ? cursor->Next() : cursor->Prev()) {
      benchmark::DoNotOptimize(cursor->value().data());
      ++rows;
    }
    EMDB_CHECK(rows == loaded.keys().size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_SeekAndTenRows(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  const View view = loaded.store()->GetView();
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  size_t next = 0;
  for (auto _ : state) {
    cursor->Seek(loaded.keys()[next++ % loaded.keys().size()]);
    for (int row = 0; row < 10 && cursor->Valid(); ++row, cursor->Next()) {
      benchmark::DoNotOptimize(cursor->value().data());
    }
  }
  state.SetItemsProcessed(state.iterations());
}

// Merges range(1) changes of existing or new keys into range(0) records.
void BM_Merge(benchmark::State& state) {
  LoadedStore loaded(state.range(0));
  uint64_t seed = 100;
  const uint64_t written_before = loaded.store()->stats().bytes_written;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<std::string> keys = RandomKeys(state.range(1), ++seed);
    std::sort(keys.begin(), keys.end());
    state.ResumeTiming();
    loaded.Put(std::move(keys));
  }
  const uint64_t written = loaded.store()->stats().bytes_written - written_before;
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(static_cast<int64_t>(written));
}

// Records where a memtable leaves them: in one piece of memory, in the order they came.
class Memory {
 public:
  Memory(size_t records, uint64_t seed) {
    constexpr size_t kRecordBytes = kKeyBytes + kValueBytes;
    bytes_.resize(records * kRecordBytes);
    std::mt19937_64 random(seed);
    for (size_t i = 0; i + 8 <= bytes_.size(); i += 8) Store64(bytes_.data() + i, random());
    for (size_t i = 0; i < records; ++i) order_.push_back(bytes_.data() + i * kRecordBytes);
    std::sort(order_.begin(), order_.end(),
              [](const char* a, const char* b) { return std::memcmp(a, b, kKeyBytes) < 0; });
  }
  const std::vector<const char*>& order() const { return order_; }

 private:
  std::string bytes_;
  std::vector<const char*> order_;  // by key
};

class MemorySource : public ChangeSource {
 public:
  explicit MemorySource(const Memory& memory) : records_(memory.order()) {}

  bool Valid() const override { return at_ < records_.size(); }
  void Next() override {
    constexpr size_t kAhead = 8;
    constexpr size_t kLine = 64;
    if (at_ + kAhead < records_.size()) {
      const char* record = records_[at_ + kAhead];
      for (size_t i = 0; i < kKeyBytes + kValueBytes; i += kLine) __builtin_prefetch(record + i);
    }
    ++at_;
  }
  std::string_view key() const override { return {records_[at_], kKeyBytes}; }
  std::string_view value() const override { return {records_[at_] + kKeyBytes, kValueBytes}; }
  bool is_deletion() const override { return false; }

 private:
  const std::vector<const char*>& records_;
  size_t at_ = 0;
};

// Checkpoints of range(1) new records each into a new store, until it has range(0). What is written
// is the whole tree, each time.
void BM_Load(benchmark::State& state) {
  const size_t batch = state.range(1);
  std::vector<std::unique_ptr<Memory>> batches;
  for (size_t i = 0; i * batch < static_cast<size_t>(state.range(0)); ++i) {
    batches.push_back(std::make_unique<Memory>(batch, i));
  }
  uint64_t records_written = 0;
  PageStoreStats stats;
  for (auto _ : state) {
    state.PauseTiming();
    auto made = std::make_unique<BenchmarkStore>();
    state.ResumeTiming();
    for (const auto& memory : batches) {
      MemorySource source(*memory);
      EMDB_CHECK(made->store->Checkpoint(made->store->next_seq() + batch, &source).ok());
      stats = made->store->stats();
      records_written += stats.records;
    }
    state.PauseTiming();
    made.reset();
    state.ResumeTiming();
  }
  const double raw = static_cast<double>(stats.records * (kKeyBytes + kValueBytes));
  const double page = stats.page_size_bytes;
  state.counters["written"] =
      benchmark::Counter(static_cast<double>(records_written),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["file/raw"] = static_cast<double>(stats.file_pages) * page / raw;
  state.counters["live/raw"] = static_cast<double>(stats.live_pages) * page / raw;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(stats.records));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stats.bytes_written));
}

BENCHMARK(BM_Get)->Arg(200000)->Arg(1000000);
BENCHMARK(BM_GetMissing)->Arg(1000000);
BENCHMARK(BM_MultiGet)->Arg(1000000);
BENCHMARK(BM_Scan)->Args({1000000, 1})->Args({1000000, 0});
BENCHMARK(BM_SeekAndTenRows)->Arg(1000000);
BENCHMARK(BM_Merge)->Args({1000000, 10000})->Args({1000000, 400000})->Iterations(5);
BENCHMARK(BM_Load)->Args({1110000, 370000})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace emdb
