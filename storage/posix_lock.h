// PosixLocks: locks on files, against other processes and against this one.
//
// flock(2) is bound to an open file description, so opening and closing the file elsewhere in the
// process does not touch it (fcntl locks would be lost), and a killed process loses it. Each lock
// has a descriptor of its own. A registry of what this process holds, by device and inode, tells a
// second open here from one elsewhere.
//
// A killed process does not take back what it has given to the kernel: writes of an io_uring go on
// when it is gone, and keep their file description as long. So they are made through the lock's own
// (DescriptorFor), and the lock is gone when the last of them is done, not before.

#ifndef EMDB_STORAGE_POSIX_LOCK_H_
#define EMDB_STORAGE_POSIX_LOCK_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/file.h"
#include "storage/file_descriptor.h"
#include "storage/mutex.h"

namespace emdb {

// Thread safe. Outlives the locks it hands out.
class PosixLocks {
 public:
  // Env::Lock.
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Another descriptor of the exclusive lock that this process holds on the file of `fd`, for
  // reading and writing; not valid if it holds none. ResourceExhausted without a descriptor.
  absl::StatusOr<FileDescriptor> DescriptorFor(int fd) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using FileId = std::pair<dev_t, ino_t>;
  class HeldLock;
  struct Holders {
    LockMode mode;
    int count;
    pid_t process;   // not this one in a child that was forked while the lock was held
    int descriptor;  // of an exclusive lock
  };

  bool IsHeldHere(FileId id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Acquire(FileId id, const std::string& path, int fd, LockMode mode)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(FileId id, FileDescriptor fd, pid_t process) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  std::map<FileId, Holders> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_STORAGE_POSIX_LOCK_H_
