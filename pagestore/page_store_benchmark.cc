// Reads, scans and merges of a store on a real file: 24-byte random keys, 150-byte values. The file
// is made in TEST_TMPDIR or /tmp and removed at the end.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
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

// A store of `records` records, all of it in memory if `warm`.
class LoadedStore {
 public:
  explicit LoadedStore(size_t records) : keys_(RandomKeys(records, 1)), value_(kValueBytes, 'v') {
    const char* directory = std::getenv("TEST_TMPDIR");
    path_ = std::string(directory == nullptr ? "/tmp" : directory) + "/page_store_benchmark.emdb";
    std::filesystem::remove(path_);
    PageStoreOptions options;
    options.cache_size_bytes = size_t{512} << 20;
    auto store = PageStore::Open(path_, options);
    EMDB_CHECK(store.ok());
    store_ = *std::move(store);
    Put(keys_);
    Warm();
  }
  ~LoadedStore() {
    store_.reset();
    std::filesystem::remove(path_);
  }

  PageStore* store() { return store_.get(); }
  const std::vector<std::string>& keys() const { return keys_; }  // in the order they were drawn
  void Put(std::vector<std::string> keys) {
    std::sort(keys.begin(), keys.end());
    SortedSource source(keys, value_);
    EMDB_CHECK(store_->Checkpoint(store_->next_seq() + keys.size(), &source).ok());
  }

 private:
  void Warm() {
    const View view = store_->GetView();
    std::string value;
    for (const std::string& key : keys_) EMDB_CHECK(view.Get(key, &value).ok());
  }

  std::vector<std::string> keys_;
  const std::string value_;
  std::string path_;
  std::unique_ptr<PageStore> store_;
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

BENCHMARK(BM_Get)->Arg(200000)->Arg(1000000);
BENCHMARK(BM_GetMissing)->Arg(1000000);
BENCHMARK(BM_MultiGet)->Arg(1000000);
BENCHMARK(BM_Scan)->Args({1000000, 1})->Args({1000000, 0});
BENCHMARK(BM_SeekAndTenRows)->Arg(1000000);
BENCHMARK(BM_Merge)->Args({1000000, 10000})->Args({1000000, 400000})->Iterations(5);

}  // namespace
}  // namespace emdb
