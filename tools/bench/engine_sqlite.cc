#include "tools/bench/engine_sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr int kPageBytes = 4096;
constexpr int kBusyTimeoutMillis = 60'000;

absl::Status FromSqlite(int code, sqlite3* db) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) [[likely]] {
    return absl::OkStatus();
  }
  const std::string message =
      absl::StrCat("sqlite: ", sqlite3_errstr(code), ": ", db == nullptr ? "" : sqlite3_errmsg(db));
  return code == SQLITE_CORRUPT ? absl::DataLossError(message) : absl::UnavailableError(message);
}

std::string_view Column(sqlite3_stmt* statement, int column) {
  // The bytes first, then their number, as SQLite's documentation asks for.
  const void* const bytes = sqlite3_column_blob(statement, column);
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement, column))};
}

// A prepared statement. Reset lets go of the state that it reads.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    prepare_code_ =
        sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // The bytes must stay until Reset.
  void Bind(int parameter, std::string_view bytes) {
    sqlite3_bind_blob(statement_, parameter, bytes.data(), static_cast<int>(bytes.size()),
                      SQLITE_STATIC);
  }
  // SQLITE_ROW, SQLITE_DONE or an error.
  int Step() { return prepare_code_ == SQLITE_OK ? sqlite3_step(statement_) : prepare_code_; }
  void Reset() { sqlite3_reset(statement_); }
  std::string_view column(int i) const { return Column(statement_, i); }

  // For statements without rows.
  absl::Status Run() {
    absl::Status status = FromSqlite(Step(), db_);
    Reset();
    return status;
  }

 private:
  sqlite3* const db_;
  sqlite3_stmt* statement_ = nullptr;
  int prepare_code_ = SQLITE_OK;
};

absl::Status Execute(sqlite3* db, const std::string& sql) {
  return FromSqlite(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), db);
}

class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const EngineOptions& options) {
    sqlite3* db = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int code =
        sqlite3_open_v2((options.directory + "/store.sqlite").c_str(), &db, flags, nullptr);
    auto connection = std::make_unique<Connection>(db);
    EMDB_RETURN_IF_ERROR(FromSqlite(code, db));
    sqlite3_busy_timeout(db, kBusyTimeoutMillis);
    // The checkpoint threshold is what the write buffer is elsewhere.
    EMDB_RETURN_IF_ERROR(Execute(
        db, absl::StrCat("PRAGMA page_size=", kPageBytes, "; PRAGMA journal_mode=WAL;",
                         "PRAGMA cache_size=-", options.cache_bytes / 4 / 1024,
                         "; PRAGMA mmap_size=", options.cache_bytes,
                         "; PRAGMA wal_autocheckpoint=", options.write_buffer_bytes / kPageBytes,
                         "; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS kv ",
                         "(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")));
    return connection;
  }

  explicit Connection(sqlite3* db) : db_(db) {}
  ~Connection() { sqlite3_close_v2(db_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* db() { return db_; }

  // The durability of the commits to come.
  absl::Status SetDurability(Durability durability) {
    if (durability == durability_) return absl::OkStatus();
    EMDB_RETURN_IF_ERROR(Execute(db_, durability == Durability::kSynced
                                          ? "PRAGMA synchronous=FULL"
                                          : "PRAGMA synchronous=NORMAL"));
    durability_ = durability;
    return absl::OkStatus();
  }

 private:
  sqlite3* const db_;
  Durability durability_ = Durability::kSynced;
};

// The statements of a cursor, which cost more to prepare than a short scan does to run.
struct ScanStatements {
  explicit ScanStatements(sqlite3* db)
      : forward(db, "SELECT k, v FROM kv WHERE k >= ?1 ORDER BY k"),
        backward(db, "SELECT k, v FROM kv ORDER BY k DESC") {}

  Statement forward;
  Statement backward;
  std::string target;  // bound to `forward`
};

class SqliteCursor final : public Cursor {
 public:
  // Takes the session's spare statements and gives them back at the end.
  SqliteCursor(sqlite3* db, std::unique_ptr<ScanStatements>* spare)
      : db_(db), spare_(spare), statements_(std::move(*spare)) {
    if (statements_ == nullptr) statements_ = std::make_unique<ScanStatements>(db);
  }
  ~SqliteCursor() override {
    if (active_ != nullptr) active_->Reset();
    *spare_ = std::move(statements_);
  }

  void SeekToFirst() override { StartForward(""); }
  void SeekToLast() override { Start(&statements_->backward); }
  void Seek(std::string_view target) override { StartForward(target); }
  void Next() override { Step(); }
  void Prev() override { Step(); }
  bool Valid() const override { return is_valid_; }
  std::string_view key() const override { return active_->column(0); }
  std::string_view value() const override { return active_->column(1); }
  absl::Status status() const override { return status_; }

 private:
  void StartForward(std::string_view target) {
    // What runs cannot be bound anew.
    statements_->forward.Reset();
    statements_->target = target;
    statements_->forward.Bind(1, statements_->target);
    Start(&statements_->forward);
  }

  void Start(Statement* statement) {
    if (active_ != nullptr) active_->Reset();
    active_ = statement;
    Step();
  }

  void Step() {
    const int code = active_->Step();
    is_valid_ = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE) status_ = FromSqlite(code, db_);
  }

  sqlite3* const db_;
  std::unique_ptr<ScanStatements>* const spare_;
  std::unique_ptr<ScanStatements> statements_;
  Statement* active_ = nullptr;
  bool is_valid_ = false;
  absl::Status status_;
};

class SqliteSession final : public Session {
 public:
  SqliteSession(std::unique_ptr<Connection> connection, Mutex* write_mutex)
      : write_mutex_(write_mutex),
        connection_(std::move(connection)),
        put_(connection_->db(), "INSERT OR REPLACE INTO kv VALUES (?1, ?2)"),
        delete_(connection_->db(), "DELETE FROM kv WHERE k = ?1"),
        get_(connection_->db(), "SELECT v FROM kv WHERE k = ?1"),
        begin_(connection_->db(), "BEGIN IMMEDIATE"),
        commit_(connection_->db(), "COMMIT"),
        rollback_(connection_->db(), "ROLLBACK") {}

  absl::Status Put(std::string_view key, std::string_view value, Durability durability) override {
    const MutexLock lock(write_mutex_);
    EMDB_RETURN_IF_ERROR(connection_->SetDurability(durability));
    return Apply({key, value});
  }

  absl::Status Delete(std::string_view key, Durability durability) override {
    const MutexLock lock(write_mutex_);
    EMDB_RETURN_IF_ERROR(connection_->SetDurability(durability));
    return Apply({key, std::nullopt});
  }

  absl::Status Write(absl::Span<const WriteOperation> operations, Durability durability) override {
    return WriteAll(durability, [this, operations]() -> absl::Status {
      for (const WriteOperation& operation : operations) {
        EMDB_RETURN_IF_ERROR(Apply(operation));
      }
      return absl::OkStatus();
    });
  }

  // All of a load in one transaction.
  absl::Status Load(Engine::RecordSource next) {
    return WriteAll(Durability::kSynced, [this, &next]() -> absl::Status {
      std::string_view key;
      std::string_view value;
      while (next(&key, &value)) EMDB_RETURN_IF_ERROR(Apply({key, value}));
      return absl::OkStatus();
    });
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    get_.Bind(1, key);
    const int code = get_.Step();
    if (code == SQLITE_ROW) value->assign(get_.column(0));
    absl::Status status =
        code == SQLITE_DONE ? absl::NotFoundError("") : FromSqlite(code, connection_->db());
    get_.Reset();
    return status;
  }

  std::unique_ptr<Cursor> NewCursor() override {
    return std::make_unique<SqliteCursor>(connection_->db(), &spare_);
  }

 private:
  absl::Status Apply(const WriteOperation& operation) {
    Statement* const statement = operation.value.has_value() ? &put_ : &delete_;
    statement->Bind(1, operation.key);
    if (operation.value.has_value()) statement->Bind(2, *operation.value);
    return statement->Run();
  }

  absl::Status WriteAll(Durability durability, absl::FunctionRef<absl::Status()> apply) {
    const MutexLock lock(write_mutex_);
    EMDB_RETURN_IF_ERROR(connection_->SetDurability(durability));
    EMDB_RETURN_IF_ERROR(begin_.Run());
    absl::Status status = apply();
    if (status.ok()) return commit_.Run();
    // The first error is the one to tell; a transaction that cannot be rolled back ends with its
    // connection.
    rollback_.Run().IgnoreError();
    return status;
  }

  // SQLite's writers wait for each other by sleeping and trying again; a lock is kinder to it.
  Mutex* const write_mutex_;
  const std::unique_ptr<Connection> connection_;
  Statement put_;
  Statement delete_;
  Statement get_;
  Statement begin_;
  Statement commit_;
  Statement rollback_;
  std::unique_ptr<ScanStatements> spare_;
};

class SqliteEngine final : public Engine {
 public:
  SqliteEngine(const EngineOptions& options, std::unique_ptr<Connection> connection)
      : options_(options), connection_(std::move(connection)) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override { return NewSqliteSession(); }

  absl::Status Load(RecordSource next) override {
    EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteSession> session, NewSqliteSession());
    return session->Load(next);
  }

  absl::StatusOr<uint64_t> Count() override {
    Statement count(connection_->db(), "SELECT count(*) FROM kv");
    const int code = count.Step();
    EMDB_RETURN_IF_ERROR(FromSqlite(code, connection_->db()));
    uint64_t records;
    if (!absl::SimpleAtoi(ToAbsl(count.column(0)), &records)) {
      return absl::InternalError("sqlite: count(*) is not a number");
    }
    return records;
  }

  // A checkpoint syncs the log, then the database file.
  absl::Status Flush() override {
    return Execute(connection_->db(), "PRAGMA wal_checkpoint(FULL)");
  }
  absl::Status Settle() override {
    return Execute(connection_->db(), "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  absl::Status Compact() override {
    EMDB_RETURN_IF_ERROR(Execute(connection_->db(), "VACUUM"));
    return Settle();
  }
  absl::Status Close() override {
    absl::Status status = Settle();
    connection_.reset();
    return status;
  }

 private:
  absl::StatusOr<std::unique_ptr<SqliteSession>> NewSqliteSession() {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(options_));
    return std::make_unique<SqliteSession>(std::move(connection), &write_mutex_);
  }

  const EngineOptions options_;
  Mutex write_mutex_;
  std::unique_ptr<Connection> connection_;
};

absl::StatusOr<std::unique_ptr<Engine>> OpenSqlite(const EngineOptions& options) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(options));
  return std::make_unique<SqliteEngine>(options, std::move(connection));
}

}  // namespace

EngineInfo SqliteInfo() {
  return {.name = "sqlite",
          .version = sqlite3_libversion(),
          .setup =
              "WAL mode, WITHOUT ROWID, prepared statements, a connection a thread, mmap as "
              "large as the cache, checkpoint every write buffer's worth; loads in one "
              "transaction",
          .durability =
              "synced: synchronous=FULL, an fdatasync of the log a commit. unsynced: "
              "synchronous=NORMAL, write() to the log, on disk at the next checkpoint",
          .open = OpenSqlite};
}

}  // namespace emdb::bench
