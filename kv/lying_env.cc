#include "kv/lying_env.h"

#include <string>
#include <utility>
#include <vector>

#include "storage/forwarding_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

class LyingFile final : public ForwardingFile {
 public:
  LyingFile(std::unique_ptr<File> base, Lie lie)
      : ForwardingFile(std::move(base)), lie_(std::move(lie)) {}

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (lie_(FileOp::kWrite, path())) return absl::OkStatus();
    return ForwardingFile::WriteAt(offset, data);
  }
  absl::Status SyncData() override {
    if (lie_(FileOp::kSyncData, path())) return absl::OkStatus();
    return ForwardingFile::SyncData();
  }
  absl::Status Truncate(uint64_t size) override {
    if (lie_(FileOp::kTruncate, path())) return absl::OkStatus();
    return ForwardingFile::Truncate(size);
  }

 private:
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

class LyingEnv final : public ForwardingEnv {
 public:
  LyingEnv(Env* base, Lie lie) : ForwardingEnv(base), lie_(std::move(lie)) {}

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, ForwardingEnv::OpenFile(path, options));
    return std::make_unique<LyingFile>(std::move(file), lie_);
  }
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Directory> directory, ForwardingEnv::OpenDirectory(path));
    return std::make_unique<LyingDirectory>(std::move(directory), std::string(path), lie_);
  }
  absl::Status Remove(std::string_view path) override {
    if (lie_(FileOp::kRemove, path)) return absl::OkStatus();
    return ForwardingEnv::Remove(path);
  }

 private:
  const Lie lie_;
};

}  // namespace

std::unique_ptr<Env> NewLyingEnv(Env* base, Lie lie) {
  return std::make_unique<LyingEnv>(base, std::move(lie));
}

}  // namespace emdb
