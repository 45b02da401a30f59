// StoreHandle: the store that a command works on. It is opened when it is first asked for, so that
// a command first looks at its arguments and its input: what fails there makes no store, and who
// waits for input keeps nobody else out.
//
// Not thread safe.

#ifndef EMDB_TOOLS_CLI_STORE_HANDLE_H_
#define EMDB_TOOLS_CLI_STORE_HANDLE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/db.h"
#include "storage/check.h"

namespace emdb::cli {

// How the store is opened for a command.
enum class StoreUse {
  kRead,    // read only; any number at a time
  kWrite,   // it must be there
  kCreate,  // made if it is missing
  kFiles,   // not at all: the command looks at the files themselves
};

class StoreHandle {
 public:
  // `env` is not owned.
  StoreHandle(StoreUse use, std::string path, Env* env)
      : use_(use), path_(std::move(path)), env_(env) {}

  // From now on Open makes the store if it is missing. Only for one that is opened for writing.
  void MakeIfMissing() {
    EMDB_CHECK(use_ == StoreUse::kWrite || use_ == StoreUse::kCreate);
    use_ = StoreUse::kCreate;
  }
  // The same Db each time; it lives as long as this. FailedPrecondition if there is no such store.
  absl::StatusOr<Db*> Open();
  // OK if it was never opened.
  absl::Status Close();

  const std::string& path() const { return path_; }

 private:
  StoreUse use_;
  const std::string path_;
  Env* const env_;
  std::unique_ptr<Db> db_;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_STORE_HANDLE_H_
