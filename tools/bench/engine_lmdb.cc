#include "tools/bench/engine_lmdb.h"

#include <lmdb.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr size_t kMapBytes = size_t{64} << 30;  // address space only; the file grows as it is used
constexpr unsigned kMaxReaders = 512;

MDB_val ToValue(std::string_view s) { return {s.size(), const_cast<char*>(s.data())}; }
std::string_view FromValue(const MDB_val& v) {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

absl::Status FromLmdb(int error, const char* operation) {
  if (error == MDB_SUCCESS) [[likely]]
    return absl::OkStatus();
  if (error == MDB_NOTFOUND) return absl::NotFoundError("");
  const std::string message = absl::StrCat("lmdb: ", operation, ": ", mdb_strerror(error));
  if (error == MDB_CORRUPTED || error == MDB_PAGE_NOTFOUND) return absl::DataLossError(message);
  return absl::UnavailableError(message);
}

// One open environment. Writers are one at a time in LMDB; the lock around them is ours because the
// flag that makes a commit durable or not belongs to the environment, not to a transaction.
struct Environment {
  MDB_env* env = nullptr;
  MDB_dbi dbi = 0;
  Mutex write_mutex;
};

// A read transaction and a cursor that are renewed instead of made anew for each read, as LMDB's
// documentation advises.
class Reader {
 public:
  explicit Reader(Environment* environment) : environment_(environment) {}
  ~Reader() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // To the newest state.
  absl::Status Renew() {
    if (transaction_ == nullptr) {
      EMDB_RETURN_IF_ERROR(
          FromLmdb(mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &transaction_), "begin"));
      return FromLmdb(mdb_cursor_open(transaction_, environment_->dbi, &cursor_), "cursor");
    }
    EMDB_RETURN_IF_ERROR(FromLmdb(mdb_txn_renew(transaction_), "renew"));
    return FromLmdb(mdb_cursor_renew(transaction_, cursor_), "renew cursor");
  }
  // Lets go of the state, so that its pages can be used again.
  void Reset() { mdb_txn_reset(transaction_); }

  MDB_txn* transaction() { return transaction_; }
  MDB_cursor* cursor() { return cursor_; }

 private:
  Environment* const environment_;
  MDB_txn* transaction_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
};

class LmdbCursor final : public Cursor {
 public:
  // Takes the session's spare reader and gives it back at the end.
  LmdbCursor(Environment* environment, std::unique_ptr<Reader>* spare)
      : spare_(spare), reader_(std::move(*spare)) {
    if (reader_ == nullptr) reader_ = std::make_unique<Reader>(environment);
    status_ = reader_->Renew();
  }
  ~LmdbCursor() override {
    if (!status_.ok()) return;
    reader_->Reset();
    *spare_ = std::move(reader_);
  }

  void SeekToFirst() override { Move(MDB_FIRST); }
  void SeekToLast() override { Move(MDB_LAST); }
  void Seek(std::string_view target) override {
    key_ = ToValue(target);
    Move(MDB_SET_RANGE);
  }
  void Next() override { Move(MDB_NEXT); }
  void Prev() override { Move(MDB_PREV); }
  bool Valid() const override { return is_valid_; }
  std::string_view key() const override { return FromValue(key_); }
  std::string_view value() const override { return FromValue(value_); }
  absl::Status status() const override { return status_; }

 private:
  void Move(MDB_cursor_op operation) {
    if (!status_.ok()) return;
    const int error = mdb_cursor_get(reader_->cursor(), &key_, &value_, operation);
    is_valid_ = error == MDB_SUCCESS;
    if (error != MDB_SUCCESS && error != MDB_NOTFOUND) status_ = FromLmdb(error, "cursor");
  }

  std::unique_ptr<Reader>* const spare_;
  std::unique_ptr<Reader> reader_;
  MDB_val key_{};
  MDB_val value_{};
  bool is_valid_ = false;
  absl::Status status_;
};

absl::Status Apply(MDB_txn* transaction, MDB_dbi dbi, const WriteOperation& operation) {
  MDB_val key = ToValue(operation.key);
  if (operation.value.has_value()) {
    MDB_val value = ToValue(*operation.value);
    return FromLmdb(mdb_put(transaction, dbi, &key, &value, 0), "put");
  }
  const int error = mdb_del(transaction, dbi, &key, nullptr);
  return error == MDB_NOTFOUND ? absl::OkStatus() : FromLmdb(error, "delete");
}

class LmdbSession final : public Session {
 public:
  explicit LmdbSession(Environment* environment)
      : environment_(environment), reader_(environment) {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    const WriteOperation operation{key, value};
    return Write(absl::MakeConstSpan(&operation, 1), durability);
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    const WriteOperation operation{key, std::nullopt};
    return Write(absl::MakeConstSpan(&operation, 1), durability);
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    const MutexLock lock(&environment_->write_mutex);
    const int no_sync = durability == Durability::kUnsynced ? 1 : 0;
    EMDB_RETURN_IF_ERROR(
        FromLmdb(mdb_env_set_flags(environment_->env, MDB_NOSYNC, no_sync), "set flags"));
    MDB_txn* transaction = nullptr;
    EMDB_RETURN_IF_ERROR(
        FromLmdb(mdb_txn_begin(environment_->env, nullptr, 0, &transaction), "begin"));
    for (const WriteOperation& operation : operations) {
      absl::Status status = Apply(transaction, environment_->dbi, operation);
      if (!status.ok()) {
        mdb_txn_abort(transaction);
        return status;
      }
    }
    return FromLmdb(mdb_txn_commit(transaction), "commit");
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    EMDB_RETURN_IF_ERROR(reader_.Renew());
    absl::Status status = GetRenewed(key, value);
    reader_.Reset();
    return status;
  }

  // One transaction for all.
  void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                std::vector<absl::Status>* statuses) override {
    values->resize(keys.size());
    const absl::Status renewed = reader_.Renew();
    statuses->assign(keys.size(), renewed);
    if (!renewed.ok()) return;
    for (size_t i = 0; i < keys.size(); ++i) (*statuses)[i] = GetRenewed(keys[i], &(*values)[i]);
    reader_.Reset();
  }

  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<LmdbCursor>(environment_, &spare_);
  }

 private:
  absl::Status GetRenewed(std::string_view key, std::string* value) {
    MDB_val lmdb_key = ToValue(key);
    MDB_val lmdb_value;
    const int error = mdb_get(reader_.transaction(), environment_->dbi, &lmdb_key, &lmdb_value);
    if (error == MDB_SUCCESS) value->assign(FromValue(lmdb_value));
    return FromLmdb(error, "get");
  }

  Environment* const environment_;
  Reader reader_;
  std::unique_ptr<Reader> spare_;
};

class LmdbEngine final : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
    auto engine = std::make_unique<LmdbEngine>();
    engine->directory_ = options.directory;
    // As its documentation advises for databases larger than memory.
    engine->read_ahead_flag_ = options.exceeds_memory ? MDB_NORDAHEAD : 0;
    engine->load_transaction_bytes_ = options.cache_bytes / 2;
    EMDB_RETURN_IF_ERROR(engine->OpenEnvironment());
    return engine;
  }

  ~LmdbEngine() override { CloseEnvironment(); }

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<LmdbSession>(&environment_);
  }

  // Transactions as large as half of the cache: what LMDB does best with random keys, and what fits
  // into memory, where it keeps the pages that a transaction has changed.
  absl::Status Load(RecordSource next) override {
    const MutexLock lock(&environment_.write_mutex);
    EMDB_RETURN_IF_ERROR(FromLmdb(mdb_env_set_flags(environment_.env, MDB_NOSYNC, 0), "set flags"));
    bool has_more = true;
    while (has_more) EMDB_RETURN_IF_ERROR(LoadOne(next, &has_more));
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Count() override {
    Reader reader(&environment_);
    EMDB_RETURN_IF_ERROR(reader.Renew());
    MDB_stat stat;
    EMDB_RETURN_IF_ERROR(FromLmdb(mdb_stat(reader.transaction(), environment_.dbi, &stat), "stat"));
    return stat.ms_entries;
  }

  absl::Status Flush() override { return FromLmdb(mdb_env_sync(environment_.env, 1), "sync"); }
  // Nothing is left for later but the sync.
  absl::Status Settle() override { return Flush(); }

  // A dense copy takes the place of the file.
  absl::Status Compact() override {
    const std::string data = directory_ + "/data.mdb";
    const std::string copy_directory = directory_ + "/compact.tmp";
    EMDB_RETURN_IF_ERROR(CopyTo(copy_directory));
    CloseEnvironment();
    if (rename((copy_directory + "/data.mdb").c_str(), data.c_str()) != 0) {
      return IoError(errno, "rename", data);
    }
    if (remove(copy_directory.c_str()) != 0) return IoError(errno, "remove", copy_directory);
    return OpenEnvironment();
  }

  absl::Status Close() override {
    absl::Status status = Flush();
    CloseEnvironment();
    return status;
  }

 private:
  absl::Status OpenEnvironment();
  // One transaction of a load; *has_more says whether there may be another.
  absl::Status LoadOne(RecordSource next, bool* has_more);
  absl::Status CopyTo(const std::string& directory);

  void CloseEnvironment() {
    if (environment_.env != nullptr) mdb_env_close(environment_.env);
    environment_.env = nullptr;
  }

  std::string directory_;
  unsigned read_ahead_flag_ = 0;
  uint64_t load_transaction_bytes_ = 0;
  Environment environment_;
};

absl::Status LmdbEngine::OpenEnvironment() {
  EMDB_RETURN_IF_ERROR(FromLmdb(mdb_env_create(&environment_.env), "create"));
  MDB_env* const env = environment_.env;
  EMDB_RETURN_IF_ERROR(FromLmdb(mdb_env_set_mapsize(env, kMapBytes), "set map size"));
  EMDB_RETURN_IF_ERROR(FromLmdb(mdb_env_set_maxreaders(env, kMaxReaders), "set readers"));
  // Read transactions belong to sessions rather than to threads.
  EMDB_RETURN_IF_ERROR(
      FromLmdb(mdb_env_open(env, directory_.c_str(), MDB_NOTLS | read_ahead_flag_, 0644), "open"));
  MDB_txn* transaction = nullptr;
  EMDB_RETURN_IF_ERROR(FromLmdb(mdb_txn_begin(env, nullptr, 0, &transaction), "begin"));
  EMDB_RETURN_IF_ERROR(
      FromLmdb(mdb_dbi_open(transaction, nullptr, 0, &environment_.dbi), "open database"));
  return FromLmdb(mdb_txn_commit(transaction), "commit");
}

absl::Status LmdbEngine::LoadOne(RecordSource next, bool* has_more) {
  MDB_txn* transaction = nullptr;
  EMDB_RETURN_IF_ERROR(
      FromLmdb(mdb_txn_begin(environment_.env, nullptr, 0, &transaction), "begin"));
  std::string_view key;
  std::string_view value;
  uint64_t bytes = 0;
  while ((*has_more = next(&key, &value))) {
    absl::Status status = Apply(transaction, environment_.dbi, {key, value});
    if (!status.ok()) {
      mdb_txn_abort(transaction);
      return status;
    }
    bytes += key.size() + value.size();
    if (bytes >= load_transaction_bytes_) break;
  }
  return FromLmdb(mdb_txn_commit(transaction), "commit");
}

absl::Status LmdbEngine::CopyTo(const std::string& directory) {
  if (mkdir(directory.c_str(), 0755) != 0) return IoError(errno, "mkdir", directory);
  return FromLmdb(mdb_env_copy2(environment_.env, directory.c_str(), MDB_CP_COMPACT), "copy");
}

}  // namespace

EngineInfo LmdbInfo() {
  return {
      .name = "lmdb",
      .version = absl::StrCat(MDB_VERSION_MAJOR, ".", MDB_VERSION_MINOR, ".", MDB_VERSION_PATCH),
      .setup =
          "defaults (no write map), read transactions renewed; its cache is the page cache, "
          "without a limit, read ahead only if the data fit; no checksums; loads in transactions "
          "of half the cache",
      .durability =
          "synced: a commit of its own with fdatasync and a synced header. unsynced: "
          "MDB_NOSYNC, on disk when the kernel writes it; a power cut may damage the "
          "whole file",
      .open = LmdbEngine::Open,
      .has_log = false};
}

}  // namespace emdb::bench
