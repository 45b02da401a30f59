#include "tools/bench/engine_emdb.h"

#include <chrono>
#include <thread>
#include <utility>

#include "kv/db.h"
#include "storage/status.h"
#include "wal/wal.h"

namespace emdb::bench {
namespace {

WriteOptions ToWriteOptions(Durability durability) {
  return {.sync = durability == Durability::kSynced};
}

class EmdbCursor final : public Cursor {
 public:
  explicit EmdbCursor(std::unique_ptr<Iterator> iterator) : iterator_(std::move(iterator)) {}

  void SeekToFirst() override { iterator_->SeekToFirst(); }
  void SeekToLast() override { iterator_->SeekToLast(); }
  void Seek(std::string_view target) override { iterator_->Seek(target); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  bool Valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return iterator_->key(); }
  std::string_view value() const override { return iterator_->value(); }
  absl::Status status() const override { return iterator_->status(); }

 private:
  const std::unique_ptr<Iterator> iterator_;
};

class EmdbSession final : public Session {
 public:
  explicit EmdbSession(Db* db) : db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    return db_->Put(key, value, ToWriteOptions(durability));
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    return db_->Delete(key, ToWriteOptions(durability));
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    batch_.Clear();
    for (const WriteOperation& operation : operations) {
      if (operation.value.has_value()) {
        batch_.Put(operation.key, *operation.value);
      } else {
        batch_.Delete(operation.key);
      }
    }
    return db_->Write(batch_, ToWriteOptions(durability));
  }

  void PutAsync(std::string_view key, std::string_view value,
                std::function<void(const absl::Status&)> done) override {
    batch_.Clear();
    batch_.Put(key, value);
    db_->WriteAsync(batch_, std::move(done));
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    return db_->Get(key, value);
  }

  void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                std::vector<absl::Status>* statuses) override {
    *statuses = db_->MultiGet(keys, values);
  }

  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<EmdbCursor>(db_->NewIterator());
  }

 private:
  Db* const db_;
  WriteBatch batch_;
};

class EmdbEngine final : public Engine {
 public:
  explicit EmdbEngine(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<EmdbSession>(db_.get());
  }

  // The number that the page store keeps is exact once nothing is left in memtables and slices.
  absl::StatusOr<uint64_t> Count() override {
    EMDB_RETURN_IF_ERROR(Settle());
    return db_->GetStats().page_store.records;
  }

  absl::Status Flush() override { return db_->Flush(); }
  // What a checkpoint has left in slices is folded when nothing is written for a while.
  absl::Status Settle() override {
    EMDB_RETURN_IF_ERROR(db_->Checkpoint());
    const uint64_t failures = db_->GetStats().checkpoint_failures;
    for (;;) {
      const Stats stats = db_->GetStats();
      if (stats.page_store.slice_records == 0) return absl::OkStatus();
      if (stats.checkpoint_failures > failures) {
        return absl::UnavailableError("slices could not be folded");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  absl::Status Compact() override { return db_->Compact(); }
  absl::Status Close() override { return db_->Close(); }

 private:
  const std::unique_ptr<Db> db_;
};

class EmdbLog final : public CommitLog {
 public:
  explicit EmdbLog(std::unique_ptr<Wal> wal) : wal_(std::move(wal)) {}

  absl::Status Append(std::string_view record) override {
    EMDB_ASSIGN_OR_RETURN(const uint64_t seq, wal_->Append(record));
    return wal_->WaitForSeq(seq);
  }

  absl::Status Replay(absl::FunctionRef<absl::Status(std::string_view record)> visit) override {
    return wal_->Replay(wal_->first_seq(),
                        [visit](uint64_t, std::string_view record) { return visit(record); });
  }

 private:
  const std::unique_ptr<Wal> wal_;
};

// With the options that a Db gives its log.
absl::StatusOr<std::unique_ptr<CommitLog>> OpenEmdbLog(const std::string& directory) {
  const Options db_options;
  WalOptions options;
  options.flush_policy = db_options.flush_policy;
  options.io_mode = db_options.wal_io_mode;
  options.segment_size_bytes = db_options.wal_segment_size;
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Wal> wal, Wal::Open(directory + "/log", options));
  return std::make_unique<EmdbLog>(std::move(wal));
}

absl::StatusOr<std::unique_ptr<Engine>> OpenEmdb(const EngineOptions& options) {
  Options db_options;
  db_options.cache_size = options.cache_bytes;
  db_options.memtable_size = options.write_buffer_bytes;
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Db> db,
                        Db::Open(db_options, options.directory + "/store.emdb"));
  return std::make_unique<EmdbEngine>(std::move(db));
}

}  // namespace

EngineInfo EmdbInfo() {
  return {.name = "emdb",
          .version = "this tree",
          .setup =
              "defaults; cache and memtable sized like the peers'; every page and log record "
              "checksummed",
          .durability =
              "synced: Put with sync, an fdatasync of the log shared by the group. "
              "unsynced: in the log's mapped buffer, on disk within 5 ms (the default)",
          .open = OpenEmdb,
          .has_log = true,
          .has_async_writes = true,
          .open_log = OpenEmdbLog};
}

}  // namespace emdb::bench
