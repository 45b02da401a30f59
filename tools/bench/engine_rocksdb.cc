#include "tools/bench/engine_rocksdb.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"
#include "rocksdb/version.h"
#include "rocksdb/write_batch.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

rocksdb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }
std::string_view FromSlice(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

absl::Status FromRocksDb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("");
  const std::string message = "rocksdb: " + status.ToString();
  if (status.IsCorruption()) return absl::DataLossError(message);
  return absl::UnavailableError(message);
}

rocksdb::WriteOptions ToWriteOptions(Durability durability) {
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kSynced;
  return options;
}

class RocksDbCursor final : public Cursor {
 public:
  explicit RocksDbCursor(rocksdb::Iterator* iterator) : iterator_(iterator) {}

  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  void Seek(std::string_view target) override { iterator_->Seek(ToSlice(target)); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  bool Valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return FromSlice(iterator_->key()); }
  std::string_view value() const override { return FromSlice(iterator_->value()); }
  absl::Status status() const override { return FromRocksDb(iterator_->status()); }

 private:
  const std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksDbSession final : public Session {
 public:
  explicit RocksDbSession(rocksdb::DB* db) : db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return FromRocksDb(db_->Put(ToWriteOptions(durability), ToSlice(key), ToSlice(value)));
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    return FromRocksDb(db_->Delete(ToWriteOptions(durability), ToSlice(key)));
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    batch_.Clear();
    for (const WriteOperation& operation : operations) {
      const rocksdb::Status status =
          operation.value.has_value()
              ? batch_.Put(ToSlice(operation.key), ToSlice(*operation.value))
              : batch_.Delete(ToSlice(operation.key));
      EMDB_RETURN_IF_ERROR(FromRocksDb(status));
    }
    return FromRocksDb(db_->Write(ToWriteOptions(durability), &batch_));
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    pinned_.Reset();
    const rocksdb::Status status =
        db_->Get(read_options_, db_->DefaultColumnFamily(), ToSlice(key), &pinned_);
    if (status.ok()) value->assign(pinned_.data(), pinned_.size());
    return FromRocksDb(status);
  }

  void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                std::vector<absl::Status>* statuses) override {
    const size_t count = keys.size();
    slices_.clear();
    for (const std::string_view key : keys) slices_.push_back(ToSlice(key));
    if (pinned_values_.size() < count) pinned_values_ = std::vector<rocksdb::PinnableSlice>(count);
    for (size_t i = 0; i < count; ++i) pinned_values_[i].Reset();
    results_.resize(count);
    db_->MultiGet(read_options_, db_->DefaultColumnFamily(), count, slices_.data(),
                  pinned_values_.data(), results_.data());
    values->resize(count);
    statuses->resize(count);
    for (size_t i = 0; i < count; ++i) {
      (*statuses)[i] = FromRocksDb(results_[i]);
      if (results_[i].ok()) (*values)[i].assign(pinned_values_[i].data(), pinned_values_[i].size());
    }
  }

  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<RocksDbCursor>(db_->NewIterator(read_options_));
  }

 private:
  rocksdb::DB* const db_;
  const rocksdb::ReadOptions read_options_;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice pinned_;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> pinned_values_;
  std::vector<rocksdb::Status> results_;
};

class RocksDbEngine final : public Engine {
 public:
  explicit RocksDbEngine(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<RocksDbSession>(db_.get());
  }

  absl::Status Flush() override { return FromRocksDb(db_->FlushWAL(/*sync=*/true)); }

  // This version has no call that waits for compactions, hence the polling.
  absl::Status Settle() override {
    EMDB_RETURN_IF_ERROR(FromRocksDb(db_->Flush(rocksdb::FlushOptions())));
    while (IsBusy()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return absl::OkStatus();
  }

  absl::Status Compact() override {
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    return FromRocksDb(db_->CompactRange(options, nullptr, nullptr));
  }

  absl::Status Close() override { return FromRocksDb(db_->Close()); }

 private:
  bool IsBusy() const {
    for (const std::string& property :
         {rocksdb::DB::Properties::kMemTableFlushPending,
          rocksdb::DB::Properties::kNumRunningFlushes, rocksdb::DB::Properties::kCompactionPending,
          rocksdb::DB::Properties::kNumRunningCompactions}) {
      uint64_t count = 0;
      if (db_->GetIntProperty(property, &count) && count > 0) return true;
    }
    return false;
  }

  const std::unique_ptr<rocksdb::DB> db_;
};

absl::StatusOr<std::unique_ptr<Engine>> Open(const rocksdb::Options& options,
                                             const std::string& directory) {
  rocksdb::DB* db = nullptr;
  EMDB_RETURN_IF_ERROR(FromRocksDb(rocksdb::DB::Open(options, directory, &db)));
  return std::make_unique<RocksDbEngine>(std::unique_ptr<rocksdb::DB>(db));
}

absl::StatusOr<std::unique_ptr<Engine>> OpenTuned(const EngineOptions& options) {
  rocksdb::Options tuned;
  tuned.create_if_missing = true;
  tuned.IncreaseParallelism(static_cast<int>(std::thread::hardware_concurrency()));
  tuned.write_buffer_size = options.write_buffer_bytes;
  tuned.max_write_buffer_number = 4;
  tuned.level_compaction_dynamic_level_bytes = true;
  tuned.compression = rocksdb::kNoCompression;  // the values are random
  tuned.bytes_per_sync = uint64_t{1} << 20;
  // Not recycle_log_file_num: RocksDB sets it to 0 under its way of recovery, kPointInTimeRecovery.
  tuned.memtable_whole_key_filtering = true;
  tuned.memtable_prefix_bloom_size_ratio = 0.02;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.optimize_filters_for_memory = true;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.format_version = 5;
  tuned.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return Open(tuned, options.directory);
}

absl::StatusOr<std::unique_ptr<Engine>> OpenDefault(const EngineOptions& options) {
  rocksdb::Options defaults;
  defaults.create_if_missing = true;
  return Open(defaults, options.directory);
}

EngineInfo CommonInfo() {
  return {.name = "",
          .version = rocksdb::GetRocksVersionAsString(),
          .setup = "",
          .durability =
              "synced: WriteOptions::sync, an fdatasync of the log shared by the write "
              "group. unsynced: write() to the log, on disk when the kernel writes it",
          .open = nullptr};
}

}  // namespace

EngineInfo RocksDbTunedInfo() {
  EngineInfo info = CommonInfo();
  info.name = "rocksdb";
  info.setup =
      "tuned: block cache and memtable as given, bloom filters of 10 bits a key and in the "
      "memtable, hash index in blocks, no compression, dynamic levels";
  info.open = OpenTuned;
  return info;
}

EngineInfo RocksDbDefaultInfo() {
  EngineInfo info = CommonInfo();
  info.name = "rocksdb-default";
  info.setup = "as it comes: 8 MiB block cache, 64 MiB memtable, Snappy";
  info.open = OpenDefault;
  return info;
}

}  // namespace emdb::bench
