#include "tools/cli/store_files.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {

absl::Status MissingFileError(const absl::Status& status, const std::string& path) {
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(
      absl::StrCat("there is no store at ", path,
                   "; `emdb put`, `emdb load` and `emdb shell --create` make one"));
}

absl::StatusOr<std::unique_ptr<FileLock>> LockForReading(Env* env, const std::string& store_path) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = env->Lock(store_path, LockMode::kShared);
  if (!lock.ok()) return MissingFileError(lock.status(), store_path);
  return lock;
}

absl::StatusOr<std::unique_ptr<PageStore>> OpenPages(Env* env, const std::string& store_path) {
  PageStoreOptions options;
  options.create_if_missing = false;
  options.read_only = true;
  options.env = env;
  absl::StatusOr<std::unique_ptr<PageStore>> pages = PageStore::Open(store_path, options);
  if (absl::IsNotFound(pages.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        store_path,
        " is empty: its creation was not finished. `emdb put` or `emdb load` finishes it"));
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
