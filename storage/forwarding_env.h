// ForwardingFile and ForwardingEnv: pass every call on to another file or Env. For tests that want
// to see, or to change, some of the calls.

#ifndef EMDB_STORAGE_FORWARDING_ENV_H_
#define EMDB_STORAGE_FORWARDING_ENV_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"

namespace emdb {

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> base)
      : File(base->path()), base_(std::move(base)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    return base_->ReadAt(offset, size, buffer);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return base_->WriteAt(offset, data);
  }
  absl::Status SyncData() override { return base_->SyncData(); }
  absl::StatusOr<uint64_t> Size() const override { return base_->Size(); }
  absl::Status Truncate(uint64_t size) override { return base_->Truncate(size); }
  absl::Status Reserve(uint64_t offset, uint64_t size) override {
    return base_->Reserve(offset, size);
  }
  absl::Status Close() override { return base_->Close(); }

 private:
  const std::unique_ptr<File> base_;
};

class ForwardingEnv : public Env {
 public:
  // `base` outlives it.
  explicit ForwardingEnv(Env* base) : base_(base) {}

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    return base_->OpenFile(path, options);
  }
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    return base_->OpenDirectory(path);
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
  absl::Status Remove(std::string_view path) override { return base_->Remove(path); }
  absl::StatusOr<bool> Exists(std::string_view path) override { return base_->Exists(path); }
  uint64_t NowNanos() override { return base_->NowNanos(); }
  void FillRandom(char* buffer, size_t size) override { base_->FillRandom(buffer, size); }

 private:
  Env* const base_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FORWARDING_ENV_H_
