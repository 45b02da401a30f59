// MemoryLocks: the file locks of a simulated file system, by path. What PosixLocks is for real
// files.

#ifndef EMDB_STORAGE_MEMORY_LOCKS_H_
#define EMDB_STORAGE_MEMORY_LOCKS_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/file.h"
#include "storage/mutex.h"

namespace emdb {

// Thread safe. The locks it hands out keep it alive.
class MemoryLocks : public std::enable_shared_from_this<MemoryLocks> {
 public:
  // FailedPrecondition if `path` is held in a mode that excludes `mode`. Does not look whether the
  // file exists.
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class HeldLock;
  struct Holders {
    LockMode mode;
    int count;
  };

  void Release(const std::string& path) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  std::map<std::string, Holders> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_STORAGE_MEMORY_LOCKS_H_
