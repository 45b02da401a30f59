#include "storage/posix_env.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/file_descriptor.h"
#include "storage/posix_file.h"
#include "storage/posix_lock.h"
#include "storage/posix_ring.h"
#include "storage/status.h"

namespace emdb {
namespace {

class PosixEnvImpl final : public Env {
 public:
  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<PosixFile> file, PosixFile::Open(path, options));
    if (options.write && options.direct) {
      EMDB_ASSIGN_OR_RETURN(FileDescriptor lock, locks_.DescriptorFor(file->descriptor()));
      if (lock.valid()) EMDB_RETURN_IF_ERROR(file->WriteThrough(std::move(lock)));
    }
    return file;
  }

  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override {
    return PosixDirectory::Open(path);
  }

  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path,
                                                       size_t size) override {
    return MapPosixRing(path, size);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) override {
    return locks_.Lock(path, mode);
  }

  absl::Status Rename(std::string_view from, std::string_view to) override {
    if (std::rename(std::string(from).c_str(), std::string(to).c_str()) != 0) {
      return IoError(errno, "rename", absl::StrCat(ToAbsl(from), " to ", ToAbsl(to)));
    }
    return absl::OkStatus();
  }

  absl::Status Remove(std::string_view path) override {
    if (::unlink(std::string(path).c_str()) != 0) return IoError(errno, "unlink", path);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Exists(std::string_view path) override {
    struct stat info;
    if (::stat(std::string(path).c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return IoError(errno, "stat", path);
  }

  uint64_t NowNanos() override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }

  void FillRandom(char* buffer, size_t size) override {
    while (size > 0) {
      const ssize_t got = ::getrandom(buffer, size, 0);
      EMDB_CHECK(got > 0 || errno == EINTR);
      if (got <= 0) continue;
      buffer += got;
      size -= static_cast<size_t>(got);
    }
  }

 private:
  PosixLocks locks_;
};

}  // namespace

Env* PosixEnv() {
  // Never destroyed: locks may be given back by destructors of static objects.
  static PosixEnvImpl* const env = new PosixEnvImpl;
  return env;
}

}  // namespace emdb
