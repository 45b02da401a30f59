#include "tools/bench/engine_leveldb.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "leveldb/cache.h"
#include "leveldb/db.h"
#include "leveldb/filter_policy.h"
#include "leveldb/write_batch.h"
#include "storage/status.h"
#include "tools/bench/process_usage.h"

namespace emdb::bench {
namespace {

leveldb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }
std::string_view FromSlice(const leveldb::Slice& s) { return {s.data(), s.size()}; }

absl::Status FromLevelDb(const leveldb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("");
  const std::string message = "leveldb: " + status.ToString();
  if (status.IsCorruption()) return absl::DataLossError(message);
  return absl::UnavailableError(message);
}

leveldb::WriteOptions ToWriteOptions(Durability durability) {
  leveldb::WriteOptions options;
  options.sync = durability == Durability::kSynced;
  return options;
}

leveldb::ReadOptions CheckedReads() {
  leveldb::ReadOptions options;
  options.verify_checksums = true;  // as the others do that have checksums
  return options;
}

class LevelDbCursor final : public Cursor {
 public:
  explicit LevelDbCursor(leveldb::Iterator* iterator) : iterator_(iterator) {}

  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  void Seek(std::string_view target) override { iterator_->Seek(ToSlice(target)); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  bool Valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return FromSlice(iterator_->key()); }
  std::string_view value() const override { return FromSlice(iterator_->value()); }
  absl::Status status() const override { return FromLevelDb(iterator_->status()); }

 private:
  const std::unique_ptr<leveldb::Iterator> iterator_;
};

class LevelDbSession final : public Session {
 public:
  explicit LevelDbSession(leveldb::DB* db) : db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return FromLevelDb(db_->Put(ToWriteOptions(durability), ToSlice(key), ToSlice(value)));
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    return FromLevelDb(db_->Delete(ToWriteOptions(durability), ToSlice(key)));
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    batch_.Clear();
    for (const WriteOperation& operation : operations) {
      if (operation.value.has_value()) {
        batch_.Put(ToSlice(operation.key), ToSlice(*operation.value));
      } else {
        batch_.Delete(ToSlice(operation.key));
      }
    }
    return FromLevelDb(db_->Write(ToWriteOptions(durability), &batch_));
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    return FromLevelDb(db_->Get(read_options_, ToSlice(key), value));
  }

  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<LevelDbCursor>(db_->NewIterator(read_options_));
  }

 private:
  leveldb::DB* const db_;
  const leveldb::ReadOptions read_options_ = CheckedReads();
  leveldb::WriteBatch batch_;
};

class LevelDbEngine final : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
    auto engine = std::make_unique<LevelDbEngine>();
    engine->cache_.reset(leveldb::NewLRUCache(options.cache_bytes));
    engine->filter_.reset(leveldb::NewBloomFilterPolicy(10));
    leveldb::Options db_options;
    db_options.create_if_missing = true;
    db_options.write_buffer_size = options.write_buffer_bytes;
    db_options.block_cache = engine->cache_.get();
    db_options.filter_policy = engine->filter_.get();
    db_options.compression = leveldb::kNoCompression;
    leveldb::DB* db = nullptr;
    EMDB_RETURN_IF_ERROR(FromLevelDb(leveldb::DB::Open(db_options, options.directory, &db)));
    engine->db_.reset(db);
    return engine;
  }

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<LevelDbSession>(db_.get());
  }

  // The only sync that LevelDB offers is that of a write: an empty one syncs the log.
  absl::Status Flush() override {
    leveldb::WriteBatch nothing;
    return FromLevelDb(db_->Write(ToWriteOptions(Durability::kSynced), &nothing));
  }

  // It has no way to ask for pending compactions either: they are over when its background thread
  // neither runs nor waits for the disk. That is looked at twice, as it may just be on its way to
  // its queue, but without a pause: this is part of what is timed. Intervals as for the others.
  absl::Status Settle() override {
    // To compact a range writes the memtable first; no key is in this one.
    const std::string behind_all_keys(64, '\xff');
    const leveldb::Slice nowhere(behind_all_keys);
    db_->CompactRange(&nowhere, &nowhere);
    while (CountBusyThreads() > 0 || CountBusyThreads() > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return absl::OkStatus();
  }

  absl::Status Compact() override {
    db_->CompactRange(nullptr, nullptr);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    db_.reset();
    return absl::OkStatus();
  }

 private:
  // In the order in which LevelDB needs them: destroyed after it.
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace

EngineInfo LevelDbInfo() {
  return {.name = "leveldb",
          .version = absl::StrCat(leveldb::kMajorVersion, ".", leveldb::kMinorVersion),
          .setup =
              "block cache and memtable as given, bloom filter of 10 bits a key, no "
              "compression, checksums verified; its tables are mapped, so what a cold read costs "
              "depends on the device's read-ahead",
          .durability =
              "synced: WriteOptions::sync, an fdatasync of the log shared by the write "
              "group. unsynced: write() to the log, on disk when the kernel writes it",
          .open = LevelDbEngine::Open};
}

}  // namespace emdb::bench
