#include "tools/cli/store_files.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

// `otherwise`, unless a log that has been written to shows that there was a store.
absl::Status NoStoreError(Env* env, const std::string& store_path, const absl::Status& otherwise) {
  const std::string log_path = Wal::PathFor(store_path);
  const absl::StatusOr<std::unique_ptr<Wal>> log = OpenLog(env, log_path, std::nullopt);
  if (absl::IsDataLoss(log.status())) return log.status();
  if (!log.ok() || (*log)->next_seq() == 0) return otherwise;
  return absl::DataLossError(absl::StrCat(store_path, " holds no store, but its log ", log_path,
                                          " has been written to (next seq ", (*log)->next_seq(),
                                          "): the store file was lost or emptied; ",
                                          "restore it from a backup, or salvage what is left"));
}

}  // namespace

absl::Status MissingFileError(const absl::Status& status, const std::string& path) {
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(
      absl::StrCat("there is no store at ", path,
                   "; `emdb put`, `emdb load` and `emdb shell --create` make one"));
}

absl::StatusOr<std::unique_ptr<FileLock>> LockForReading(Env* env, const std::string& store_path) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = env->Lock(store_path, LockMode::kShared);
  if (!absl::IsNotFound(lock.status())) return lock;
  return NoStoreError(env, store_path, MissingFileError(lock.status(), store_path));
}

absl::StatusOr<std::unique_ptr<PageStore>> OpenPages(Env* env, const std::string& store_path) {
  PageStoreOptions options;
  options.create_if_missing = false;
  options.read_only = true;
  options.env = env;
  absl::StatusOr<std::unique_ptr<PageStore>> pages = PageStore::Open(store_path, options);
  if (absl::IsNotFound(pages.status())) {
    const absl::Status unfinished = absl::FailedPreconditionError(absl::StrCat(
        store_path,
        " is empty: its creation was not finished. `emdb put` or `emdb load` finishes it"));
    return NoStoreError(env, store_path, unfinished);
  }
  return pages;
}

absl::StatusOr<std::unique_ptr<Wal>> OpenLog(Env* env, const std::string& log_path,
                                             const std::optional<StoreId>& store_id) {
  WalOptions options;
  options.create_if_missing = false;
  options.read_only = true;
  options.store_id = store_id;
  options.env = env;
  absl::StatusOr<std::unique_ptr<Wal>> log = Wal::Open(log_path, options);
  if (!absl::IsNotFound(log.status())) return log;
  if (store_id.has_value()) {
    return absl::DataLossError(absl::StrCat(log_path,
                                            " is missing: a store without its log lacks its newest "
                                            "writes; restore both from one backup"));
  }
  return absl::FailedPreconditionError(absl::StrCat("there is no log at ", log_path));
}

}  // namespace emdb::cli
