// Env: the file system, the clock and the source of randomness, as one interface that tests
// replace.
//
// Implementations: PosixEnv (posix_env.h) for real files; MemEnv (mem_env.h) for databases that
// live in memory; FaultEnv (fault_env.h, testonly) that injects errors and yields the images a
// crash can leave. All are safe from many threads. Paths are as the operating system takes them; a
// relative one is relative to the working directory.

#ifndef EMDB_STORAGE_ENV_H_
#define EMDB_STORAGE_ENV_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/file.h"

namespace emdb {

struct OpenOptions {
  bool write = false;      // for reading only otherwise
  bool create = false;     // make it if it is missing (needs write)
  bool exclusive = false;  // with create: AlreadyExists if it is there
  bool direct =
      false;  // bypass the page cache (O_DIRECT): InvalidArgument where the file system cannot
};

enum class LockMode { kShared, kExclusive };

class Env {
 public:
  virtual ~Env() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                         const OpenOptions& options) = 0;
  virtual absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) = 0;

  // Opens or makes `path`, gives it exactly `size` bytes (a multiple of the page size; new bytes
  // are zeros) with their space reserved, and maps it.
  virtual absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path,
                                                               size_t size) = 0;

  // Locks the existing file `path` against other processes and against this one (flock on a
  // descriptor of its own, and a registry in this process). FailedPrecondition, naming the holder
  // where the system tells, if it is held in a mode that excludes `mode`. A refused attempt leaves
  // the holder's lock untouched. A killed process keeps an exclusive lock until the last write that
  // it had begun, to a File of the locked file that was opened under the lock, is done, and as long
  // as a child lives that it forked without exec. For a holder that has ended up to 10 s are
  // waited, and 0.2 s for one that the system does not name.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) = 0;

  // Atomically gives the file `from` the name `to`, replacing what had it. Durable after
  // Directory::Sync.
  virtual absl::Status Rename(std::string_view from, std::string_view to) = 0;
  // NotFound if it is missing. Durable after Directory::Sync.
  virtual absl::Status Remove(std::string_view path) = 0;
  virtual absl::StatusOr<bool> Exists(std::string_view path) = 0;

  // Monotonic, from an arbitrary start.
  virtual uint64_t NowNanos() = 0;
  // Unpredictable bytes, for store ids and salts.
  virtual void FillRandom(char* buffer, size_t size) = 0;
};

// The part of `path` before the last '/', "." if there is none, "/" for a name in the root.
std::string DirectoryOf(std::string_view path);
// The part of `path` behind the last '/'.
std::string_view FileNameOf(std::string_view path);

}  // namespace emdb

#endif  // EMDB_STORAGE_ENV_H_
