// Reads of a database whose pages are all in memory: 1M records of 24 random bytes and 150 of
// value, in the tree or behind a memtable that is half full of other keys.
//   bazel run --config=opt //kv:db_read_benchmark

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "kv/db.h"
#include "storage/check.h"

namespace emdb {
namespace {

constexpr size_t kRecords = 1'000'000;
// About half of a memtable of 64 MiB.
constexpr size_t kUnmerged = 150'000;
constexpr size_t kKeyBytes = 24;
constexpr size_t kValueBytes = 150;
constexpr size_t kBatch = 32;

enum Memtables { kEmpty, kHalfFull };

// Keys of a fixed sequence, in the order in which they were drawn.
std::vector<std::string> RandomKeys(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> keys(count);
  for (std::string& key : keys) {
    key.resize(kKeyBytes);
    for (char& byte : key) byte = static_cast<char>(random());
  }
  return keys;
}

class LoadedDb {
 public:
  LoadedDb() : keys_(RandomKeys(kRecords, 1)) {
    Options options;
    options.cache_size = size_t{512} << 20;
    auto db = Db::OpenInMemory(options);
    EMDB_CHECK(db.ok());
    db_ = *std::move(db);
    Put(keys_);
    EMDB_CHECK(db_->Checkpoint().ok());
    for (const std::string& key : keys_) EMDB_CHECK(db_->Get(key, &value_).ok());
  }

  void FillMemtable() {
    if (!std::exchange(is_filled_, true)) Put(RandomKeys(kUnmerged, 2));
  }
  Db* db() { return db_.get(); }
  // Of the records in the tree. The next of them, at random places of the tree.
  const std::string& NextKey() { return keys_[next_++ % keys_.size()]; }

 private:
  void Put(const std::vector<std::string>& keys) {
    const std::string value(kValueBytes, 'v');
    for (const std::string& key : keys) EMDB_CHECK(db_->Put(key, value).ok());
  }

  std::vector<std::string> keys_;
  std::unique_ptr<Db> db_;
  std::string value_;
  size_t next_ = 0;
  bool is_filled_ = false;
};

// One for all: loading takes longer than measuring. Those with a full memtable come last.
LoadedDb* Loaded(const benchmark::State& state) {
  static LoadedDb loaded;
  if (state.range(0) == kHalfFull) loaded.FillMemtable();
  return &loaded;
}

void BM_Get(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  std::string value;
  for (auto _ : state) EMDB_CHECK(loaded->db()->Get(loaded->NextKey(), &value).ok());
  state.SetItemsProcessed(state.iterations());
}

void BM_GetMissing(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  std::string value;
  std::string key;
  for (auto _ : state) {
    key.assign(loaded->NextKey());
    key.back() ^= 1;
    EMDB_CHECK(!loaded->db()->Get(key, &value).ok());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_MultiGet(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  std::array<std::string_view, kBatch> keys;
  std::vector<std::string> values;
  for (auto _ : state) {
    for (std::string_view& key : keys) key = loaded->NextKey();
    for (const absl::Status& status : loaded->db()->MultiGet(keys, &values)) {
      EMDB_CHECK(status.ok());
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void BM_SeekAndTenRows(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  const std::unique_ptr<Iterator> it = loaded->db()->NewIterator();
  for (auto _ : state) {
    it->Seek(loaded->NextKey());
    for (int row = 0; row < 10 && it->Valid(); ++row, it->Next()) {
      benchmark::DoNotOptimize(it->value().data());
    }
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_NewIteratorAndSeek(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  for (auto _ : state) {
    const std::unique_ptr<Iterator> it = loaded->db()->NewIterator();
    it->Seek(loaded->NextKey());
    benchmark::DoNotOptimize(it->value().data());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_Scan(benchmark::State& state) {
  LoadedDb* const loaded = Loaded(state);
  int64_t rows = 0;
  for (auto _ : state) {
    const std::unique_ptr<Iterator> it = loaded->db()->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next(), ++rows) {
      benchmark::DoNotOptimize(it->value().data());
    }
  }
  state.SetItemsProcessed(rows);
}

#define EMDB_READS(memtables)                       \
  BENCHMARK(BM_Get)->Arg(memtables);                \
  BENCHMARK(BM_GetMissing)->Arg(memtables);         \
  BENCHMARK(BM_MultiGet)->Arg(memtables);           \
  BENCHMARK(BM_SeekAndTenRows)->Arg(memtables);     \
  BENCHMARK(BM_NewIteratorAndSeek)->Arg(memtables); \
  BENCHMARK(BM_Scan)->Arg(memtables)
EMDB_READS(kEmpty);
EMDB_READS(kHalfFull);

}  // namespace
}  // namespace emdb
