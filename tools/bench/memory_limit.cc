#include "tools/bench/memory_limit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

// A control file takes its value in one write, and says no by its result.
absl::Status WriteControl(const std::string& path, const std::string& value) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return IoError(errno, "open", path);
  const bool is_written = write(fd, value.data(), value.size()) >= 0;
  const int error = errno;
  close(fd);
  return is_written ? absl::OkStatus() : IoError(error, "write", path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryLimit>> MemoryLimit::Create(uint64_t bytes) {
  struct Hierarchy {
    const char* root;
    const char* limit_file;
  };
  constexpr Hierarchy kHierarchies[] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                        {"/sys/fs/cgroup", "memory.max"}};
  absl::Status problem;
  for (const auto& [root, limit_file] : kHierarchies) {
    const std::string directory = absl::StrCat(root, "/emdb-bench-", getpid());
    if (mkdir(directory.c_str(), 0755) != 0) {
      problem = IoError(errno, "mkdir", directory);
      continue;
    }
    std::unique_ptr<MemoryLimit> limit(new MemoryLimit(directory));
    problem = WriteControl(absl::StrCat(directory, "/", limit_file), absl::StrCat(bytes));
    if (problem.ok()) return limit;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "no memory cgroup can be made (", problem.message(), "); run as root on a machine with one"));
}

MemoryLimit::~MemoryLimit() {
  // Nothing can be done about one that stays; it limits nobody.
  rmdir(directory_.c_str());
}

absl::Status MemoryLimit::Enter() const {
  return WriteControl(absl::StrCat(directory_, "/cgroup.procs"), absl::StrCat(getpid()));
}

}  // namespace emdb::bench
