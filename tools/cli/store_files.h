// The files of a store, opened one by one and read only, for commands that look at them without a
// Db. Nothing on disk changes.

#ifndef EMDB_TOOLS_CLI_STORE_FILES_H_
#define EMDB_TOOLS_CLI_STORE_FILES_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "storage/store_id.h"
#include "wal/wal.h"

namespace emdb::cli {

// `status`, with NotFound (a key, to a command) made FailedPrecondition (a file).
absl::Status MissingFileError(const absl::Status& status, const std::string& path);

// Keeps writers away for as long as it lives. FailedPrecondition if there is no such store, or if
// it is in use; DataLoss if only its log is there, and has been written to.
absl::StatusOr<std::unique_ptr<FileLock>> LockForReading(Env* env, const std::string& store_path);

// The same of a store file that is empty.
absl::StatusOr<std::unique_ptr<PageStore>> OpenPages(Env* env, const std::string& store_path);

// DataLoss if there is no log beside the store `store_id`, which needs one. Without an id,
// FailedPrecondition.
absl::StatusOr<std::unique_ptr<Wal>> OpenLog(Env* env, const std::string& log_path,
                                             const std::optional<StoreId>& store_id);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_STORE_FILES_H_
