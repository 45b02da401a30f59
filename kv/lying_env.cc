#include "kv/lying_env.h"

#include <string>
#include <utility>
#include <vector>

#include "storage/status.h"

namespace emdb {
namespace {

class LyingFile final : public File {
 public:
  LyingFile(std::unique_ptr<File> base, Lie lie)
      : File(base->path()), base_(std::move(base)), lie_(std::move(lie)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    return base_->ReadAt(offset, size, buffer);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (lie_(FileOp::kWrite, path())) return absl::OkStatus();
    return base_->WriteAt(offset, data);
  }
  absl::Status WriteAtDurable(uint64_t offset, std::string_view data) override {
    if (lie_(FileOp::kWriteDurable, path())) return base_->WriteAt(offset, data);
    return base_->WriteAtDurable(offset, data);
  }
  absl::Status SyncData() override {
    if (lie_(FileOp::kSyncData, path())) return absl::OkStatus();
    return base_->SyncData();
  }
  absl::StatusOr<uint64_t> Size() const override { return base_->Size(); }
  absl::Status Truncate(uint64_t size) override {
    if (lie_(FileOp::kTruncate, path())) return absl::OkStatus();
    return base_->Truncate(size);
  }
  absl::Status Reserve(uint64_t offset, uint64_t size) override {
    return base_->Reserve(offset, size);
  }
  absl::Status Close() override { return base_->Close(); }

 private:
  const std::unique_ptr<File> base_;
  const Lie lie_;
};

class LyingDirectory final : public Directory {
 public:
  LyingDirectory(std::unique_ptr<Directory> base, std::string path, Lie lie)
      : base_(std::move(base)), path_(std::move(path)), lie_(std::move(lie)) {}

  absl::Status Sync() override {
    if (lie_(FileOp::kSyncDirectory, path_)) return absl::OkStatus();
    return base_->Sync();
  }
  absl::StatusOr<std::vector<std::string>> List() const override { return base_->List(); }

 private:
  const std::unique_ptr<Directory> base_;
  const std::string path_;
  const Lie lie_;
};

class LyingEnv final : public Env {
 public:
  LyingEnv(Env* base, Lie lie) : base_(base), lie_(std::move(lie)) {}

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, base_->OpenFile(path, options));
    return std::make_unique<LyingFile>(std::move(file), lie_);
  }
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Directory> directory, base_->OpenDirectory(path));
    return std::make_unique<LyingDirectory>(std::move(directory), std::string(path), lie_);
  }
  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path,
                                                       size_t size) override {
    return base_->MapRing(path, size);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) override {
    return base_->Lock(path, mode);
  }
  absl::Status Rename(std::string_view from, std::string_view to) override {
    return base_->Rename(from, to);
  }
  absl::Status Remove(std::string_view path) override {
    if (lie_(FileOp::kRemove, path)) return absl::OkStatus();
    return base_->Remove(path);
  }
  absl::StatusOr<bool> Exists(std::string_view path) override { return base_->Exists(path); }
  uint64_t NowNanos() override { return base_->NowNanos(); }
  void FillRandom(char* buffer, size_t size) override { base_->FillRandom(buffer, size); }

 private:
  Env* const base_;
  const Lie lie_;
};

}  // namespace

std::unique_ptr<Env> NewLyingEnv(Env* base, Lie lie) {
  return std::make_unique<LyingEnv>(base, std::move(lie));
}

}  // namespace emdb
