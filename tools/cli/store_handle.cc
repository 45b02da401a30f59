#include "tools/cli/store_handle.h"

#include "absl/strings/str_cat.h"
#include "tools/cli/store_files.h"

namespace emdb::cli {

absl::StatusOr<Db*> StoreHandle::Open() {
  EMDB_CHECK(use_ != StoreUse::kFiles);
  if (db_ != nullptr) return db_.get();
  Options options;
  options.create_if_missing = use_ == StoreUse::kCreate;
  options.read_only = use_ == StoreUse::kRead;
  options.env = env_;
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, path_);
  if (db.ok()) {
    db_ = *std::move(db);
    return db_.get();
  }
  if (!absl::IsNotFound(db.status())) return db.status();
  if (use_ != StoreUse::kCreate) return MissingFileError(db.status(), path_);
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot make ", path_, ": ", db.status().message(), "; is its directory there?"));
}

absl::Status StoreHandle::Close() { return db_ != nullptr ? db_->Close() : absl::OkStatus(); }

}  // namespace emdb::cli
