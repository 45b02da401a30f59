#include "storage/mem_env.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "storage/mappable_bytes.h"
#include "storage/memory_locks.h"
#include "storage/mutex.h"
#include "storage/posix_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

// What a name stands for. Lives on while it is open, though its name be removed.
struct MemNode {
  SharedMutex mutex;
  MappableBytes bytes ABSL_GUARDED_BY(mutex);
};

class MemFile final : public File {
 public:
  MemFile(std::string path, std::shared_ptr<MemNode> node, bool writable)
      : File(std::move(path)), node_(std::move(node)), writable_(writable) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    if (node_ == nullptr) return IoError(EBADF, "read", path());
    ReaderLock lock(&node_->mutex);
    return node_->bytes.Read(offset, size, buffer);
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    EMDB_RETURN_IF_ERROR(CheckWrite("write", offset, data.size()));
    WriterLock lock(&node_->mutex);
    node_->bytes.Write(offset, data);
    return absl::OkStatus();
  }

  absl::Status SyncData() override {
    return node_ == nullptr ? IoError(EBADF, "fdatasync", path()) : absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() const override {
    if (node_ == nullptr) return IoError(EBADF, "fstat", path());
    ReaderLock lock(&node_->mutex);
    return node_->bytes.size();
  }

  absl::Status Truncate(uint64_t size) override {
    EMDB_RETURN_IF_ERROR(CheckWrite("ftruncate", size, 0));
    WriterLock lock(&node_->mutex);
    node_->bytes.Resize(size);
    return absl::OkStatus();
  }

  absl::Status Reserve(uint64_t offset, uint64_t size) override {
    EMDB_RETURN_IF_ERROR(CheckWrite("fallocate", offset, size));
    WriterLock lock(&node_->mutex);
    node_->bytes.Resize(std::max(node_->bytes.size(), offset + size));
    return absl::OkStatus();
  }

  absl::Status Close() override {
    if (node_ == nullptr) return IoError(EBADF, "close", path());
    node_.reset();
    return absl::OkStatus();
  }

 private:
  absl::Status CheckWrite(std::string_view operation, uint64_t offset, uint64_t size) const {
    if (node_ == nullptr || !writable_) return IoError(EBADF, operation, path());
    constexpr uint64_t kMaxSize = MappableBytes::kMaxSize;
    if (offset > kMaxSize || size > kMaxSize - offset) return IoError(EFBIG, operation, path());
    return absl::OkStatus();
  }

  std::shared_ptr<MemNode> node_;  // null when closed
  const bool writable_;
};

// The names. Node locks are taken under none of its own.
class MemNames {
 public:
  absl::StatusOr<std::shared_ptr<MemNode>> Open(std::string_view path, const OpenOptions& options) {
    MutexLock lock(&mutex_);
    std::string name(path);
    const auto found = nodes_.find(name);
    if (found != nodes_.end()) {
      if (options.create && options.exclusive) return IoError(EEXIST, "open", path);
      return found->second;
    }
    if (!options.create) return IoError(ENOENT, "open", path);
    return nodes_.emplace(std::move(name), std::make_shared<MemNode>()).first->second;
  }

  absl::Status Rename(std::string_view from, std::string_view to) {
    MutexLock lock(&mutex_);
    const auto found = nodes_.find(std::string(from));
    if (found == nodes_.end()) {
      return IoError(ENOENT, "rename", absl::StrCat(ToAbsl(from), " to ", ToAbsl(to)));
    }
    if (from == to) return absl::OkStatus();
    nodes_[std::string(to)] = std::move(found->second);
    nodes_.erase(found);
    return absl::OkStatus();
  }

  absl::Status Remove(std::string_view path) {
    MutexLock lock(&mutex_);
    if (nodes_.erase(std::string(path)) == 0) return IoError(ENOENT, "unlink", path);
    return absl::OkStatus();
  }

  bool Contains(std::string_view path) {
    MutexLock lock(&mutex_);
    return nodes_.contains(std::string(path));
  }

  std::vector<std::string> List(std::string_view directory) {
    MutexLock lock(&mutex_);
    std::vector<std::string> names;
    for (const auto& [path, node] : nodes_) {
      if (DirectoryOf(path) == directory) names.emplace_back(FileNameOf(path));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<MemNode>> nodes_ ABSL_GUARDED_BY(mutex_);
};

class MemDirectory final : public Directory {
 public:
  MemDirectory(std::string path, std::shared_ptr<MemNames> names)
      : path_(std::move(path)), names_(std::move(names)) {}

  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> List() const override { return names_->List(path_); }

 private:
  const std::string path_;
  const std::shared_ptr<MemNames> names_;
};

class MemEnv final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    if (options.create && !options.write) return IoError(EINVAL, "create without writing", path);
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<MemNode> node, names_->Open(path, options));
    return std::make_unique<MemFile>(std::string(path), std::move(node), options.write);
  }

  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    return std::make_unique<MemDirectory>(std::string(path), names_);
  }

  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path,
                                                       size_t size) override {
    EMDB_ASSIGN_OR_RETURN(const std::shared_ptr<MemNode> node,
                          names_->Open(path, {.write = true, .create = true}));
    WriterLock lock(&node->mutex);
    return node->bytes.Map(path, size);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) override {
    if (!names_->Contains(path)) return IoError(ENOENT, "open", path);
    return locks_->Lock(path, mode);
  }

  absl::Status Rename(std::string_view from, std::string_view to) override {
    return names_->Rename(from, to);
  }
  absl::Status Remove(std::string_view path) override { return names_->Remove(path); }
  absl::StatusOr<bool> Exists(std::string_view path) override { return names_->Contains(path); }

  uint64_t NowNanos() override { return PosixEnv()->NowNanos(); }
  void FillRandom(char* buffer, size_t size) override { PosixEnv()->FillRandom(buffer, size); }

 private:
  const std::shared_ptr<MemNames> names_ = std::make_shared<MemNames>();
  const std::shared_ptr<MemoryLocks> locks_ = std::make_shared<MemoryLocks>();
};

}  // namespace

std::unique_ptr<Env> NewMemEnv() { return std::make_unique<MemEnv>(); }

}  // namespace emdb
