#include "tools/bench/disk_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "absl/cleanup/cleanup.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr size_t kWriteBytes = 128;
constexpr size_t kFileBytes = size_t{1} << 20;

absl::Status WriteAndSync(int fd, const std::string& bytes, off_t offset) {
  if (pwrite(fd, bytes.data(), bytes.size(), offset) != static_cast<ssize_t>(bytes.size())) {
    return IoError(errno, "write", "disk probe");
  }
  // The sync is what is measured.
  if (fdatasync(fd) != 0) return IoError(errno, "fdatasync", "disk probe");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LatencySummary> ProbeDisk(const std::string& directory, int writes) {
  using Clock = std::chrono::steady_clock;
  const std::string path = directory + "/disk_probe";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return IoError(errno, "open", path);
  const absl::Cleanup remove_file = [fd, &path] {
    close(fd);
    unlink(path.c_str());
  };
  // Written out first, so that the loop changes data only and no metadata.
  EMDB_RETURN_IF_ERROR(WriteAndSync(fd, std::string(kFileBytes, 'z'), 0));

  const std::string record(kWriteBytes, 'r');
  Histogram latency;
  for (int i = 0; i < writes; ++i) {
    const Clock::time_point start = Clock::now();
    EMDB_RETURN_IF_ERROR(
        WriteAndSync(fd, record, static_cast<off_t>(i * kWriteBytes % kFileBytes)));
    latency.Record(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
  }
  return latency.Summarize();
}

}  // namespace emdb::bench
