#include "tools/bench/process_usage.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/sync_counter.h"

namespace emdb::bench {
namespace {

// The number behind `name` in a file of lines "name: number ..."; 0 if it is not there.
uint64_t ReadNumber(const char* path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  uint64_t number = 0;
  while (file >> word) {
    if (word == name && file >> number) return number;
  }
  return 0;
}

// 'R', 'D', 'S' and so on, as in proc(5); 0 if there is no such thread any more.
char ThreadState(const std::filesystem::path& task) {
  std::ifstream file(task / "stat");
  std::string line;
  std::getline(file, line);
  // Behind the name, which stands in parentheses and may hold any character.
  const size_t name_end = line.rfind(") ");
  return name_end == std::string::npos ? '\0' : line[name_end + 2];
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

ProcessUsage ProcessUsage::operator-(const ProcessUsage& before) const {
  return {.cpu_seconds = cpu_seconds - before.cpu_seconds,
          .syncs = syncs - before.syncs,
          .bytes_read = bytes_read - before.bytes_read};
}

ProcessUsage ReadProcessUsage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
          .syncs = CountSyncs(),
          .bytes_read = ReadNumber("/proc/self/io", "read_bytes:")};
}

absl::StatusOr<uint64_t> DeviceBytesWritten(const std::string& directory) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return IoError(errno, "look at", directory);
  const std::string path =
      absl::StrCat("/sys/dev/block/", major(info.st_dev), ":", minor(info.st_dev), "/stat");
  // Reads, merged reads, sectors read, time; then the same of writes.
  constexpr int kField = 7;
  constexpr uint64_t kSectorBytes = 512;
  std::ifstream file(path);
  uint64_t number = 0;
  for (int i = 0; i < kField; ++i) file >> number;
  if (file) return number * kSectorBytes;
  return absl::NotFoundError(
      absl::StrCat("no device counts what is written to ", directory, ": no ", path));
}

int CountBusyThreads() {
  const std::string own_id = std::to_string(gettid());
  int busy = 0;
  std::error_code error;
  std::filesystem::directory_iterator task("/proc/self/task", error);
  for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
    if (task->path().filename() == own_id) continue;
    const char state = ThreadState(task->path());
    busy += state == 'R' || state == 'D' ? 1 : 0;
  }
  return busy;
}

absl::StatusOr<uint64_t> DiskUsageBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    struct stat info {};
    // A file that the engine removed meanwhile takes no space.
    if (stat(entry->path().c_str(), &info) != 0) continue;
    constexpr uint64_t kBlockBytes = 512;
    if (S_ISREG(info.st_mode)) bytes += static_cast<uint64_t>(info.st_blocks) * kBlockBytes;
  }
  if (error) return IoError(error.value(), "list", directory);
  return bytes;
}

}  // namespace emdb::bench
