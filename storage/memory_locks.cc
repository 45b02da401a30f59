#include "storage/memory_locks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {

class MemoryLocks::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<MemoryLocks> locks, std::string path)
      : locks_(std::move(locks)), path_(std::move(path)) {}
  ~HeldLock() override { locks_->Release(path_); }

 private:
  const std::shared_ptr<MemoryLocks> locks_;
  const std::string path_;
};

absl::StatusOr<std::unique_ptr<FileLock>> MemoryLocks::Lock(std::string_view path, LockMode mode) {
  std::string name(path);
  {
    MutexLock lock(&mutex_);
    const auto [holders, is_new] = held_.try_emplace(name, Holders{mode, 0});
    const bool excluded =
        mode == LockMode::kExclusive || holders->second.mode == LockMode::kExclusive;
    if (!is_new && excluded) {
      return absl::FailedPreconditionError(
          absl::StrCat("lock ", name, ": held by this process; close the store there first"));
    }
    ++holders->second.count;
  }
  return std::make_unique<HeldLock>(shared_from_this(), std::move(name));
}

void MemoryLocks::Release(const std::string& path) {
  MutexLock lock(&mutex_);
  const auto found = held_.find(path);
  if (--found->second.count == 0) held_.erase(found);
}

}  // namespace emdb
