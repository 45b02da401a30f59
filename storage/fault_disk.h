// FaultDisk: what a FaultEnv and the files it opened share: the simulated disk, the rules by which
// operations fail, the power, the trace.

#ifndef EMDB_STORAGE_FAULT_DISK_H_
#define EMDB_STORAGE_FAULT_DISK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/file.h"
#include "storage/file_op.h"
#include "storage/memory_locks.h"
#include "storage/mutex.h"
#include "storage/volatile_names.h"

namespace emdb {

// Makes operations fail. The first rule that matches an operation decides about it. A failed
// operation has no effect, but for what is told below.
struct FaultRule {
  // Null: every one. Called under the lock of the env, so it must not use that.
  std::function<bool(FileOp op, std::string_view path)> matches;
  uint64_t skip = 0;            // let this many matching ones through first
  uint64_t count = UINT64_MAX;  // then fail this many, and let the others through
  int error_number = 5;         // EIO
  // A failing write writes its first half, up to a sector's end, before it fails.
  bool short_write = false;
  // A failing sync forgets the file's unsynced writes, as the kernel does, or the directory's
  // unsynced changes.
  bool drop_unsynced = false;
  // A failing sync of a file forgets them, and they do not even read as written any more.
  bool reads_old = false;
};

// One operation, as it was done.
struct TraceEntry {
  FileOp op;
  uint64_t number = 0;  // of a numbered operation; of another, that of the next numbered one
  std::string path;
  std::string target = {};  // of a rename
  uint64_t offset = 0;
  uint64_t size = 0;
  bool ok = true;
};

// Thread safe: an operation runs whole under the mutex.
class FaultDisk {
 public:
  using Observer = std::function<void(const TraceEntry&)>;

  struct State {
    VolatileNames names;
    uint64_t capacity = UINT64_MAX;
    uint64_t random_state = 1;
    uint64_t next_number = 0;
    uint64_t power_cut_at = UINT64_MAX;
    bool power_is_cut = false;
    std::vector<FaultRule> rules;
    std::vector<TraceEntry> trace;
    Observer observer;

    // How many bytes more the files may have.
    uint64_t Free() const;
    void CutPower();
    // Cuts the power if it is time; returns the rule by which an operation fails, if there is one.
    const FaultRule* Admit(FileOp op, std::string_view path);
  };
  using Body = absl::FunctionRef<absl::Status(State* state)>;
  // What a failing operation still does, given the rule by which it fails.
  using FailedBody = absl::FunctionRef<void(const FaultRule& rule, State* state)>;

  // Runs `body` as the operation `entry`, unless the power is off or a rule makes it fail.
  absl::Status Run(TraceEntry entry, Body body) ABSL_LOCKS_EXCLUDED(mutex_) {
    return Run(std::move(entry), body, [](const FaultRule&, State*) {});
  }
  absl::Status Run(TraceEntry entry, Body body, FailedBody failed_body) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `body` as no operation.
  template <typename Body>
  auto Inspect(Body body) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return body(&state_);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) {
    return locks_->Lock(path, mode);
  }

 private:
  absl::Status RunLocked(TraceEntry* entry, Body body, FailedBody failed_body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<MemoryLocks> locks_ = std::make_shared<MemoryLocks>();
  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FAULT_DISK_H_
