#include "tools/bench/machine.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tools/bench/disk_probe.h"

namespace emdb::bench {
namespace {

#ifdef __clang__
constexpr char kCompiler[] = "clang++";
#else
constexpr char kCompiler[] = "g++";
#endif
#ifdef NDEBUG
constexpr char kAssertions[] = "off";
#else
constexpr char kAssertions[] = "on";
#endif

// What follows `name` and a colon in a file of such lines; empty if it is not there.
std::string FindField(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    const size_t start = line.find_first_not_of(": \t=\"", name.size());
    const size_t end = line.find_last_not_of('"');
    if (start != std::string::npos && end >= start) return line.substr(start, end - start + 1);
  }
  return "";
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The type of the file system that holds `directory`, by device number. Not its device and options,
// which are of one host's set-up.
std::string DescribeFileSystem(const std::string& directory) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return "";
  const std::string device = absl::StrCat(major(info.st_dev), ":", minor(info.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  std::string type;
  for (std::string line; std::getline(mounts, line);) {
    // ID parent major:minor root mount-point options ... - type source options
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<std::string> front = absl::StrSplit(halves[0], ' ');
    if (halves.size() < 2 || front.size() < 6 || front[2] != device) continue;
    const std::vector<std::string> back = absl::StrSplit(halves[1], ' ');
    type = back[0];
  }
  return type;
}

std::string DescribeDisk(const std::string& directory) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return "";
  std::string queue = absl::StrCat("/sys/dev/block/", major(info.st_dev), ":", minor(info.st_dev));
  // A partition's queue is its disk's.
  if (access((queue + "/queue").c_str(), F_OK) != 0) queue += "/..";
  const std::string cache = FirstLine(queue + "/queue/write_cache");
  if (cache.empty()) return "";
  const std::string model = FirstLine(queue + "/device/model");
  const bool has_fua = FirstLine(queue + "/queue/fua") == "1";
  // Engines that map their files read that much around what they ask for.
  const std::string read_ahead = FirstLine(queue + "/queue/read_ahead_kb");
  return absl::StrCat(model.empty() ? "" : model + ", ", cache, " cache, ",
                      has_fua ? "FUA" : "no FUA",
                      read_ahead.empty() ? "" : ", read-ahead of " + read_ahead + " KiB");
}

// "6.18.44" of "6.18.44-amd64": what follows names a build.
std::string VersionNumber(std::string_view release) {
  return std::string(release.substr(0, release.find_first_not_of("0123456789.")));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> DescribeMachine(const std::string& directory) {
  std::vector<std::pair<std::string, std::string>> lines;
  const auto add = [&lines](std::string_view name, const std::string& value) {
    if (!value.empty()) lines.emplace_back(name, value);
  };
  add("processor",
      absl::StrCat(FindField("/proc/cpuinfo", "model name"), ", ",
                   std::thread::hardware_concurrency(), " cores",
                   FindField("/proc/cpuinfo", "flags").find("hypervisor") == std::string::npos
                       ? ""
                       : ", virtual"));
  add("memory",
      absl::StrFormat("%.1f GiB", static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                      static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30)));
  add("file system", DescribeFileSystem(directory));
  add("disk", DescribeDisk(directory));
  const absl::StatusOr<LatencySummary> probe = ProbeDisk(directory, 1000);
  if (probe.ok()) {
    add("fdatasync", absl::StrFormat("128-byte pwrite + fdatasync: p50 %.0f us, p99 %.0f us",
                                     static_cast<double>(probe->p50_ns) / 1e3,
                                     static_cast<double>(probe->p99_ns) / 1e3));
  }
  utsname system{};
  if (uname(&system) == 0) {
    add("kernel", absl::StrCat(system.sysname, " ", VersionNumber(system.release)));
  }
  add("system", FindField("/etc/os-release", "PRETTY_NAME"));
  add("compiler", absl::StrCat(kCompiler, " ", __VERSION__, ", assertions ", kAssertions));
  return lines;
}

}  // namespace emdb::bench
