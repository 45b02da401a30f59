#include "kv/store_files.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "storage/store_id.h"

namespace emdb {
namespace {

// What the log says of a store file that holds no store.
struct LogTrace {
  bool exists = false;
  bool was_written_to = false;  // it holds records, or has held some
  StoreId store_id{};
  uint64_t next_seq = 0;
};

// Opens the files of one store. Its calls follow one another as in Open.
class StoreOpener {
 public:
  StoreOpener(const Options& options, Env* env, const std::string& path, WalVisitor redo)
      : options_(options), env_(env), path_(path), redo_(redo), log_path_(Wal::PathFor(path)) {}

  absl::StatusOr<StoreFiles> Open() {
    EMDB_RETURN_IF_ERROR(LockStoreFile());
    EMDB_ASSIGN_OR_RETURN(const uint64_t size, StoreFileSize());
    absl::StatusOr<std::unique_ptr<PageStore>> store = absl::NotFoundError("");
    if (size > 0) store = PageStore::Open(path_, StoreOptions(std::nullopt));
    // Also of a file of zeros: the power may go when the first header has given it a size, and no
    // bytes yet.
    if (absl::IsNotFound(store.status())) {
      EMDB_RETURN_IF_ERROR(MakeStore());
      return std::move(files_);
    }
    if (options_.error_if_exists) {
      return absl::AlreadyExistsError(
          absl::StrCat(path_, ": the store exists, and error_if_exists is set"));
    }
    if (!store.ok()) return Remake(store.status());
    files_.store = *std::move(store);
    EMDB_RETURN_IF_ERROR(OpenLog());
    // Nothing can be refused any more. What was found may not be on the disk yet, and a power cut
    // leave the state before it. The log goes on from an older one; but what came from elsewhere, a
    // bulk load or the making of the store, would be missed.
    if (!options_.read_only && files_.store->fallback_next_seq() == files_.store->next_seq()) {
      EMDB_RETURN_IF_ERROR(files_.store->EnsureDurable());
    }
    return std::move(files_);
  }

 private:
  PageStoreOptions StoreOptions(std::optional<StoreId> create_with_id) const {
    PageStoreOptions options;
    options.create_if_missing = create_with_id.has_value();
    options.read_only = options_.read_only;
    options.cache_size_bytes = options_.cache_size;
    options.page_size_bytes = options_.page_size;
    options.store_id = create_with_id;
    options.env = env_;
    return options;
  }

  WalOptions LogOptions() const {
    WalOptions options;
    // What must be durable at once is waited for by the writer, outside of all locks.
    options.flush_policy = options_.flush_policy.kind() == FlushPolicy::Kind::kGroup
                               ? options_.flush_policy
                               : FlushPolicy::Manual();
    options.io_mode = options_.wal_io_mode;
    options.create_if_missing = false;
    options.read_only = options_.read_only;
    options.segment_size_bytes = options_.wal_segment_size;
    options.env = env_;
    return options;
  }

  absl::Status LockStoreFile() {
    EMDB_ASSIGN_OR_RETURN(const bool exists, env_->Exists(path_));
    if (!exists) EMDB_RETURN_IF_ERROR(MakeStoreFile());
    EMDB_ASSIGN_OR_RETURN(
        files_.lock,
        env_->Lock(path_, options_.read_only ? LockMode::kShared : LockMode::kExclusive));
    return absl::OkStatus();
  }

  absl::Status MakeStoreFile() {
    // A log without its store is damage, and more to the point than that there is no store; nothing
    // is made beside it. But another process may just have made both: its lock tells more.
    EMDB_ASSIGN_OR_RETURN(const LogTrace trace, InspectLog());
    if (trace.was_written_to) {
      EMDB_ASSIGN_OR_RETURN(const bool exists, env_->Exists(path_));
      return exists ? absl::OkStatus() : LogWithoutStore(trace);
    }
    if (options_.read_only || !options_.create_if_missing) {
      return NoStore("there is no such file");
    }
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                          env_->OpenFile(path_, {.write = true, .create = true}));
    EMDB_RETURN_IF_ERROR(file->Close());
    // The name must not be lost once something is acknowledged.
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Directory> directory,
                          env_->OpenDirectory(DirectoryOf(path_)));
    return directory->Sync();
  }

  absl::StatusOr<uint64_t> StoreFileSize() const {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, env_->OpenFile(path_, {}));
    EMDB_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    EMDB_RETURN_IF_ERROR(file->Close());
    return size;
  }

  absl::Status NoStore(std::string_view why) const {
    return absl::NotFoundError(absl::StrCat(
        path_, ": no store here: ", ToAbsl(why),
        options_.read_only ? "; a read-only open makes none" : "; create_if_missing is not set"));
  }

  absl::Status LogWithoutStore(const LogTrace& trace) const {
    return absl::DataLossError(absl::StrCat(
        path_, " holds no store, but its log ", log_path_, " has been written to (next seq ",
        trace.next_seq,
        "): the store file was lost or emptied; restore it from a backup, or move the log away "
        "to start with an empty store"));
  }

  // Reads the log without changing it.
  absl::StatusOr<LogTrace> InspectLog() const {
    WalOptions options = LogOptions();
    options.read_only = true;
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(log_path_, options);
    if (absl::IsNotFound(wal.status())) return LogTrace();
    if (!wal.ok()) return wal.status();
    LogTrace trace;
    trace.exists = true;
    trace.store_id = (*wal)->store_id();
    trace.next_seq = (*wal)->next_seq();
    trace.was_written_to = trace.next_seq > 0;
    EMDB_RETURN_IF_ERROR((*wal)->Close());
    return trace;
  }

  // Makes the store in an empty file, or one of zeros, or goes on where its making was cut short.
  absl::Status MakeStore() {
    EMDB_ASSIGN_OR_RETURN(const LogTrace trace, InspectLog());
    if (trace.was_written_to) return LogWithoutStore(trace);
    if (options_.read_only || !options_.create_if_missing) return NoStore("the file is empty");
    StoreId id = trace.store_id;
    if (!trace.exists) env_->FillRandom(reinterpret_cast<char*>(id.data()), id.size());
    WalOptions log_options = LogOptions();
    log_options.create_if_missing = true;
    log_options.store_id = id;
    EMDB_ASSIGN_OR_RETURN(files_.wal, Wal::Open(log_path_, log_options));
    EMDB_ASSIGN_OR_RETURN(files_.store, PageStore::Open(path_, StoreOptions(id)));
    return absl::OkStatus();
  }

  // `error` is what opening the page store said. If no header of it is whole because the power went
  // while the first were written, its log has never been written to, and the store is made again.
  absl::StatusOr<StoreFiles> Remake(const absl::Status& error) {
    if (!absl::IsDataLoss(error) || options_.read_only || !options_.create_if_missing) return error;
    const absl::StatusOr<LogTrace> trace = InspectLog();
    if (!trace.ok() || !trace->exists || trace->was_written_to) return error;
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, env_->OpenFile(path_, {.write = true}));
    EMDB_RETURN_IF_ERROR(file->Truncate(0));
    EMDB_RETURN_IF_ERROR(file->Close());
    EMDB_RETURN_IF_ERROR(MakeStore());
    return std::move(files_);
  }

  absl::Status OpenLog() {
    WalOptions log_options = LogOptions();
    log_options.store_id = files_.store->store_id();
    const uint64_t store_next_seq = files_.store->next_seq();
    const auto visit = [this](uint64_t seq, std::string_view record) {
      absl::Status status = redo_(seq, record);
      if (status.ok()) [[likely]]
        return status;
      const std::string where = absl::StrCat(log_path_, ", record ", seq);
      return Annotate(status, where);
    };
    absl::StatusOr<std::unique_ptr<Wal>> wal =
        Wal::Open(log_path_, log_options, {.from_seq = store_next_seq, .visit = visit});
    if (absl::IsNotFound(wal.status())) {
      return absl::DataLossError(absl::StrCat(log_path_, ": the log of the store ", path_,
                                              " is missing; what was written from seq ",
                                              store_next_seq, " on is in it: restore it"));
    }
    if (absl::IsOutOfRange(wal.status())) {
      return absl::DataLossError(absl::StrCat(
          wal.status().message(), ": the store ", path_, " has everything below seq ",
          store_next_seq, ": segments are missing or cut, or one of the two is an old copy; ",
          "restore them"));
    }
    if (!wal.ok()) return wal.status();
    files_.wal = *std::move(wal);
    return absl::OkStatus();
  }

  const Options& options_;
  Env* const env_;
  const std::string& path_;
  const WalVisitor redo_;
  const std::string log_path_;
  StoreFiles files_;
};

}  // namespace

absl::StatusOr<StoreFiles> OpenStoreFiles(const Options& options, Env* env, const std::string& path,
                                          WalVisitor redo) {
  return StoreOpener(options, env, path, redo).Open();
}

}  // namespace emdb
