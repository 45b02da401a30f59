#include "tools/bench/engine_berkeleydb.h"

#include <db.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr uint32_t kLocks = 200'000;  // a batch of 1,000 records may lock as many pages, and more
constexpr uint32_t kLogBufferBytes = 4 << 20;
constexpr char kFileName[] = "store.bdb";

// An empty key of length 0 needs an address as well.
DBT ToDbt(std::string_view bytes) {
  DBT dbt{};
  dbt.data = const_cast<char*>(bytes.data());
  dbt.size = static_cast<uint32_t>(bytes.size());
  return dbt;
}

std::string_view FromDbt(const DBT& dbt) { return {static_cast<const char*>(dbt.data), dbt.size}; }

absl::Status FromBerkeleyDb(int error, const char* operation) {
  if (error == 0) [[likely]]
    return absl::OkStatus();
  if (error == DB_NOTFOUND) return absl::NotFoundError("");
  const std::string message = absl::StrCat("berkeleydb: ", operation, ": ", db_strerror(error));
  return error == DB_RUNRECOVERY ? absl::DataLossError(message) : absl::UnavailableError(message);
}

// Memory that Berkeley DB grows with realloc for what it returns.
class ReturnedBytes {
 public:
  ReturnedBytes() { dbt_.flags = DB_DBT_REALLOC; }
  ~ReturnedBytes() { free(dbt_.data); }
  ReturnedBytes(const ReturnedBytes&) = delete;
  ReturnedBytes& operator=(const ReturnedBytes&) = delete;

  DBT* dbt() { return &dbt_; }
  std::string_view view() const { return FromDbt(dbt_); }
  void Set(std::string_view bytes) {
    dbt_.data = realloc(dbt_.data, bytes.size() + 1);
    bytes.copy(static_cast<char*>(dbt_.data), bytes.size());
    dbt_.size = static_cast<uint32_t>(bytes.size());
  }

 private:
  DBT dbt_{};
};

class BerkeleyDbCursor final : public Cursor {
 public:
  explicit BerkeleyDbCursor(DB* db) {
    status_ = FromBerkeleyDb(db->cursor(db, nullptr, &cursor_, 0), "cursor");
  }
  ~BerkeleyDbCursor() override {
    if (cursor_ != nullptr) cursor_->close(cursor_);
  }

  void SeekToFirst() override { Move(DB_FIRST); }
  void SeekToLast() override { Move(DB_LAST); }
  void Seek(std::string_view target) override {
    key_.Set(target);
    Move(DB_SET_RANGE);
  }
  void Next() override { Move(DB_NEXT); }
  void Prev() override { Move(DB_PREV); }
  bool Valid() const override { return is_valid_; }
  std::string_view key() const override { return key_.view(); }
  std::string_view value() const override { return value_.view(); }
  absl::Status status() const override { return status_; }

 private:
  void Move(uint32_t flags) {
    if (!status_.ok()) return;
    const int error = cursor_->get(cursor_, key_.dbt(), value_.dbt(), flags);
    is_valid_ = error == 0;
    if (error != 0 && error != DB_NOTFOUND) status_ = FromBerkeleyDb(error, "cursor");
  }

  DBC* cursor_ = nullptr;
  ReturnedBytes key_;
  ReturnedBytes value_;
  bool is_valid_ = false;
  absl::Status status_;
};

class BerkeleyDbSession final : public Session {
 public:
  BerkeleyDbSession(DB_ENV* env, DB* db) : env_(env), db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    const WriteOperation operation{key, value};
    return Write(absl::MakeConstSpan(&operation, 1), durability);
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    const WriteOperation operation{key, std::nullopt};
    return Write(absl::MakeConstSpan(&operation, 1), durability);
  }

  // Threads that lock the same pages in another order make deadlocks; the loser begins again.
  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    int error;
    do {
      error = TryWrite(operations, durability);
    } while (error == DB_LOCK_DEADLOCK);
    return FromBerkeleyDb(error, "write");
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    DBT key_dbt = ToDbt(key);
    const int error = db_->get(db_, nullptr, &key_dbt, value_.dbt(), 0);
    if (error == 0) value->assign(value_.view());
    return FromBerkeleyDb(error, "get");
  }

  std::unique_ptr<Cursor> NewCursor() override { return std::make_unique<BerkeleyDbCursor>(db_); }

 private:
  int TryWrite(absl::Span<const WriteOperation> operations, Durability durability) {
    DB_TXN* transaction = nullptr;
    int error = env_->txn_begin(env_, nullptr, &transaction, 0);
    if (error != 0) return error;
    for (const WriteOperation& operation : operations) {
      DBT key = ToDbt(operation.key);
      if (operation.value.has_value()) {
        DBT value = ToDbt(*operation.value);
        error = db_->put(db_, transaction, &key, &value, 0);
      } else {
        error = db_->del(db_, transaction, &key, 0);
        if (error == DB_NOTFOUND) error = 0;
      }
      if (error != 0) {
        // The error that made it necessary is the one to tell.
        static_cast<void>(transaction->abort(transaction));
        return error;
      }
    }
    return transaction->commit(
        transaction, durability == Durability::kSynced ? DB_TXN_SYNC : DB_TXN_WRITE_NOSYNC);
  }

  DB_ENV* const env_;
  DB* const db_;
  ReturnedBytes value_;
};

class BerkeleyDbEngine final : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
    auto engine = std::make_unique<BerkeleyDbEngine>();
    EMDB_RETURN_IF_ERROR(engine->OpenEnvironment(options));
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(db_create(&engine->db_, engine->env_, 0), "create"));
    DB* const db = engine->db_;
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(db->open(db, nullptr, kFileName, nullptr, DB_BTREE,
                                                 DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0644),
                                        "open"));
    return engine;
  }

  ~BerkeleyDbEngine() override { CloseHandles().IgnoreError(); }

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<BerkeleyDbSession>(env_, db_);
  }

  absl::Status Flush() override { return FromBerkeleyDb(env_->log_flush(env_, nullptr), "flush"); }

  // The log is in the file, and what it no longer needs of the log is removed.
  absl::Status Settle() override {
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(env_->txn_checkpoint(env_, 0, 0, DB_FORCE), "checkpoint"));
    return FromBerkeleyDb(env_->log_archive(env_, nullptr, DB_ARCH_REMOVE), "archive");
  }

  absl::Status Compact() override {
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(
        db_->compact(db_, nullptr, nullptr, nullptr, nullptr, DB_FREE_SPACE, nullptr), "compact"));
    return Settle();
  }

  absl::Status Close() override {
    EMDB_RETURN_IF_ERROR(Settle());
    return CloseHandles();
  }

 private:
  absl::Status OpenEnvironment(const EngineOptions& options) {
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(db_env_create(&env_, 0), "create environment"));
    const auto gigabytes = static_cast<uint32_t>(options.cache_bytes >> 30);
    const auto bytes = static_cast<uint32_t>(options.cache_bytes & ((uint64_t{1} << 30) - 1));
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(env_->set_cachesize(env_, gigabytes, bytes, 1), "cache"));
    EMDB_RETURN_IF_ERROR(FromBerkeleyDb(env_->set_lg_bsize(env_, kLogBufferBytes), "log buffer"));
    for (const auto set :
         {env_->set_lk_max_locks, env_->set_lk_max_lockers, env_->set_lk_max_objects}) {
      EMDB_RETURN_IF_ERROR(FromBerkeleyDb(set(env_, kLocks), "locks"));
    }
    EMDB_RETURN_IF_ERROR(
        FromBerkeleyDb(env_->set_lk_detect(env_, DB_LOCK_DEFAULT), "deadlock detection"));
    constexpr uint32_t kFlags = DB_CREATE | DB_PRIVATE | DB_THREAD | DB_RECOVER | DB_INIT_MPOOL |
                                DB_INIT_LOG | DB_INIT_LOCK | DB_INIT_TXN;
    return FromBerkeleyDb(env_->open(env_, options.directory.c_str(), kFlags, 0644),
                          "open environment");
  }

  absl::Status CloseHandles() {
    const int db_error = db_ == nullptr ? 0 : db_->close(db_, 0);
    db_ = nullptr;
    const int env_error = env_ == nullptr ? 0 : env_->close(env_, 0);
    env_ = nullptr;
    return FromBerkeleyDb(db_error != 0 ? db_error : env_error, "close");
  }

  DB_ENV* env_ = nullptr;
  DB* db_ = nullptr;
};

}  // namespace

EngineInfo BerkeleyDbInfo() {
  return {.name = "berkeleydb",
          .version = absl::StrCat(DB_VERSION_MAJOR, ".", DB_VERSION_MINOR, ".", DB_VERSION_PATCH),
          .setup = "transactional B-tree, private environment, cache as given, 4 MiB log buffer",
          .durability =
              "synced: DB_TXN_SYNC, an fdatasync of the log a commit or group. unsynced: "
              "DB_TXN_WRITE_NOSYNC, write() to the log, on disk when the kernel writes it",
          .open = BerkeleyDbEngine::Open};
}

}  // namespace emdb::bench
