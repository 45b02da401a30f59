#include "storage/posix_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/posix_file.h"
#include "storage/status.h"

namespace emdb {
namespace {

// How long a lock is waited for whose holder has ended, with writes still under way, or may have:
// one in another pid namespace is not shown, nor is one that ended in this one, and on some file
// systems none is.
constexpr std::chrono::seconds kWaitForTheDead{10};
constexpr std::chrono::milliseconds kWaitForTheUnknown{200};

std::string DescribeProcess(pid_t process) {
  if (process == 0) return "another process";
  return process == ::getpid() ? "this process" : absl::StrCat("process ", process);
}

// Whether the process has ended, though its parent may not have asked for it yet. False in doubt.
bool HasEnded(pid_t process) {
  const std::string directory = absl::StrCat("/proc/", process);
  if (::access(directory.c_str(), F_OK) != 0) return errno == ENOENT && ::kill(process, 0) != 0;
  std::ifstream file(directory + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  // "1234 (name) S ...": the name may hold anything. Then the number of its threads, 18th behind
  // it: the first of several may have ended alone.
  const size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return false;
  std::istringstream fields(line.substr(end_of_name + 1));
  std::string state;
  std::string threads;
  fields >> state;
  for (int i = 0; i < 17; ++i) fields >> threads;
  return (state == "Z" || state == "X") && (threads == "1" || threads == "0");
}

// The process that /proc/locks names for a flock on the file, 0 if it names none. Its lines are
// "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF", device in hexadecimal; those with "->" are
// waiting.
pid_t HolderFromSystem(dev_t device, ino_t inode) {
  std::ifstream locks("/proc/locks");
  std::string line;
  while (std::getline(locks, line)) {
    int process = 0;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    unsigned long long number = 0;
    if (std::sscanf(line.c_str(), "%*d: FLOCK %*s %*s %d %x:%x:%llu", &process, &major_number,
                    &minor_number, &number) != 4) {
      continue;
    }
    const bool same = makedev(major_number, minor_number) == device && number == inode;
    // A process outside of this pid namespace shows as 0 or -1.
    if (same && process > 0) return process;
  }
  return 0;
}

std::chrono::nanoseconds TimeToWaitFor(pid_t holder) {
  if (holder == 0) return kWaitForTheUnknown;
  return HasEnded(holder) ? kWaitForTheDead : std::chrono::nanoseconds(0);
}

absl::Status LockedBy(std::string_view path, pid_t holder) {
  const bool has_ended = holder != 0 && HasEnded(holder);
  return absl::FailedPreconditionError(absl::StrCat(
      "lock ", ToAbsl(path), ": held by ", DescribeProcess(holder),
      has_ended
          ? ", which has ended: by writes of it that the disk has not done yet, or by a child "
            "that it forked; wait for the one, or end the other"
          : "; close the store there first"));
}

}  // namespace

class PosixLocks::HeldLock final : public FileLock {
 public:
  HeldLock(PosixLocks* locks, FileId id, FileDescriptor fd)
      : locks_(locks), id_(id), fd_(std::move(fd)), process_(::getpid()) {}
  ~HeldLock() override { locks_->Release(id_, std::move(fd_), process_); }

 private:
  PosixLocks* const locks_;
  const FileId id_;
  FileDescriptor fd_;
  const pid_t process_;
};

absl::StatusOr<std::unique_ptr<FileLock>> PosixLocks::Lock(std::string_view path, LockMode mode) {
  const std::string name(path);
  // Writable for an exclusive lock, because network file systems ask for it.
  EMDB_ASSIGN_OR_RETURN(FileDescriptor fd,
                        OpenDescriptor(name, mode == LockMode::kExclusive ? O_RDWR : O_RDONLY));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return IoError(errno, "fstat", name);
  const FileId id(info.st_dev, info.st_ino);
  const auto start = std::chrono::steady_clock::now();
  absl::Status status = Acquire(id, name, fd.get(), mode);
  while (absl::IsFailedPrecondition(status) && !IsHeldHere(id)) {
    const auto waited = std::chrono::steady_clock::now() - start;
    if (waited >= TimeToWaitFor(HolderFromSystem(id.first, id.second))) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    status = Acquire(id, name, fd.get(), mode);
  }
  EMDB_RETURN_IF_ERROR(status);
  return std::make_unique<HeldLock>(this, id, std::move(fd));
}

absl::StatusOr<FileDescriptor> PosixLocks::DescriptorFor(int fd) const {
  struct stat info;
  if (::fstat(fd, &info) != 0) return IoError(errno, "fstat", "a file that is open");
  MutexLock lock(&mutex_);
  const auto found = held_.find(FileId(info.st_dev, info.st_ino));
  const bool held = found != held_.end() && found->second.mode == LockMode::kExclusive &&
                    found->second.process == ::getpid();
  if (!held) return FileDescriptor();
  FileDescriptor copy(::fcntl(found->second.descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy.valid()) return IoError(errno, "fcntl", "the descriptor of a lock");
  return copy;
}

bool PosixLocks::IsHeldHere(FileId id) const {
  MutexLock lock(&mutex_);
  const auto found = held_.find(id);
  return found != held_.end() && found->second.process == ::getpid();
}

absl::Status PosixLocks::Acquire(FileId id, const std::string& path, int fd, LockMode mode) {
  MutexLock lock(&mutex_);
  auto found = held_.find(id);
  // The parent's, of before this process was forked: whether it still holds it, the system knows.
  if (found != held_.end() && found->second.process != ::getpid()) {
    held_.erase(found);
    found = held_.end();
  }
  const bool held = found != held_.end();
  if (held && (mode == LockMode::kExclusive || found->second.mode == LockMode::kExclusive)) {
    return LockedBy(path, found->second.process);
  }
  const int operation = (mode == LockMode::kExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB;
  int result = ::flock(fd, operation);
  while (result != 0 && errno == EINTR) result = ::flock(fd, operation);
  if (result != 0) {
    if (errno != EWOULDBLOCK) return IoError(errno, "flock", path);
    return LockedBy(path, HolderFromSystem(id.first, id.second));
  }
  if (held) {
    ++found->second.count;
  } else {
    held_.emplace(id, Holders{mode, 1, ::getpid(), fd});
  }
  return absl::OkStatus();
}

void PosixLocks::Release(FileId id, FileDescriptor fd, pid_t process) {
  MutexLock lock(&mutex_);
  // Unlocked at once, though a child that was forked meanwhile still has the descriptor. Such a
  // child itself only closes its copy: unlocking would take the lock from its parent. An error
  // leaves the lock to the close.
  if (process != ::getpid()) return;
  (void)::flock(fd.get(), LOCK_UN);
  const auto found = held_.find(id);
  if (--found->second.count == 0) held_.erase(found);
}

}  // namespace emdb
