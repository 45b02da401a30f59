// What only real files have: direct I/O, other processes, full disks. The rest is in env_test.cc.

#include "storage/posix_env.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/aligned_buffer.h"
#include "storage/env.h"
#include "storage/status.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

constexpr OpenOptions kCreate = {.write = true, .create = true};
constexpr OpenOptions kDirect = {.write = true, .create = true, .direct = true};

// Runs `body` in a forked process and returns its exit status, as of waitpid().
int RunInChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// A child process that holds a flock on `path` until it is told to let go.
class LockHolder {
 public:
  explicit LockHolder(const std::string& path) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    child_ = ::fork();
    if (child_ == 0) {
      const int fd = ::open(path.c_str(), O_RDWR);
      const char result = ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 'y' : 'n';
      if (::write(ready[1], &result, 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char result = '?';
    EXPECT_EQ(::read(ready[0], &result, 1), 1);
    EXPECT_EQ(result, 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() { Kill(); }

  void Kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    EXPECT_EQ(::waitpid(child_, nullptr, 0), child_);
    child_ = -1;
  }
  pid_t process() const { return child_; }

 private:
  pid_t child_ = -1;
};

class PosixEnvTest : public testing::Test {
 protected:
  std::string Path(std::string_view name) const { return directory_.Path(name); }
  std::unique_ptr<File> Open(std::string_view name, const OpenOptions& options = kCreate) {
    absl::StatusOr<std::unique_ptr<File>> file = PosixEnv()->OpenFile(Path(name), options);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

 private:
  const TempDirectory directory_;
};

TEST_F(PosixEnvTest, DirectFilesReadAndWriteAlignedBlocks) {
  const absl::StatusOr<std::unique_ptr<File>> opened = PosixEnv()->OpenFile(Path("f"), kDirect);
  if (!opened.ok()) GTEST_SKIP() << opened.status();
  File& file = **opened;
  const AlignedBuffer out(3 * kDirectAlignment);
  std::memset(out.data(), 'd', out.size());
  const std::string_view data(out.data(), out.size());
  ASSERT_TRUE(file.WriteAt(kDirectAlignment, data).ok());
  ASSERT_TRUE(file.WriteAt(0, data.substr(0, kDirectAlignment)).ok());
  ASSERT_TRUE(file.SyncData().ok());

  const AlignedBuffer in(8 * kDirectAlignment);
  EXPECT_EQ(file.ReadAt(0, in.size(), in.data()).value(), 4 * kDirectAlignment);
  EXPECT_EQ(std::string(in.data(), 4 * kDirectAlignment), std::string(4 * kDirectAlignment, 'd'));
  // An end of the file within a block.
  ASSERT_TRUE(file.Truncate(5000).ok());
  EXPECT_EQ(file.ReadAt(0, in.size(), in.data()).value(), 5000u);
  EXPECT_EQ(file.ReadAt(kDirectAlignment, in.size(), in.data()).value(), 5000 - kDirectAlignment);
}

TEST_F(PosixEnvTest, DirectFilesRefuseWhatIsNotAligned) {
  const absl::StatusOr<std::unique_ptr<File>> opened = PosixEnv()->OpenFile(Path("f"), kDirect);
  if (!opened.ok()) GTEST_SKIP() << opened.status();
  const AlignedBuffer buffer(kDirectAlignment);
  std::memset(buffer.data(), 0, buffer.size());
  const absl::Status status = (*opened)->WriteAt(0, std::string_view(buffer.data() + 1, 100));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(PosixEnvTest, DirectIsRefusedClearlyWhereThereIsNone) {
  OpenOptions direct;
  direct.direct = true;
  const absl::Status status = PosixEnv()->OpenFile("/proc/self/status", direct).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(FromAbsl(status.message()).find("O_DIRECT"), std::string::npos) << status;
}

// The process's own memory is a file that has bytes which cannot be read behind some that can: like
// a bad sector behind whole ones, it gives a short read first and EIO for the rest.
TEST_F(PosixEnvTest, AReadUpToWhatCannotBeReadIsAnErrorAndNotTheEndOfTheFile) {
  const auto memory = PosixEnv()->OpenFile("/proc/self/mem", {});
  if (!memory.ok()) GTEST_SKIP() << memory.status();
  const size_t page_size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* const pages =
      ::mmap(nullptr, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  char* const second = static_cast<char*>(pages) + page_size;
  const std::string_view readable = "readable";
  std::copy(readable.begin(), readable.end(), second - 100);
  ASSERT_EQ(::munmap(second, page_size), 0);
  const uint64_t end = reinterpret_cast<uintptr_t>(second);
  char buffer[200];
  EXPECT_EQ((*memory)->ReadAt(end - 100, 100, buffer).value(), 100u);
  EXPECT_EQ(std::string_view(buffer, readable.size()), readable);
  const absl::StatusOr<size_t> read = (*memory)->ReadAt(end - 100, sizeof(buffer), buffer);
  EXPECT_TRUE(absl::IsUnavailable(read.status())) << read.status();
  EXPECT_EQ(::munmap(pages, page_size), 0);
}

TEST_F(PosixEnvTest, ReserveTakesTheSpace) {
  const std::unique_ptr<File> file = Open("f");
  ASSERT_TRUE(file->Reserve(0, 1 << 20).ok());
  struct stat info;
  ASSERT_EQ(::stat(Path("f").c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
}

TEST_F(PosixEnvTest, ARingHasItsSpaceReserved) {
  ASSERT_TRUE(Open("r")->Truncate(1 << 20).ok());
  ASSERT_TRUE(PosixEnv()->MapRing(Path("r"), 1 << 20).ok());
  struct stat info;
  ASSERT_EQ(::stat(Path("r").c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
}

TEST_F(PosixEnvTest, AFileThatMayNotGrowIsResourceExhausted) {
  const std::string path = Path("f");
  const int status = RunInChild([&] {
    // Ignored, so that the limit shows as an error and not as a signal.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1 << 16, 1 << 16};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const std::unique_ptr<File> file = *PosixEnv()->OpenFile(path, kCreate);
    // The part that fits is written first, then the rest is refused.
    if (!absl::IsResourceExhausted(file->WriteAt(0, std::string(1 << 17, 'x')))) return 2;
    if (file->Size().value() != 1 << 16) return 3;
    if (!absl::IsResourceExhausted(file->Reserve(0, 1 << 18))) return 4;
    if (!absl::IsResourceExhausted(PosixEnv()->MapRing(path, 1 << 18).status())) return 5;
    return 0;
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(PosixEnvTest, ADirectoryThatIsMissingIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(PosixEnv()->OpenDirectory(Path("none")).status()));
  EXPECT_TRUE(absl::IsNotFound(PosixEnv()->OpenFile(Path("none/f"), kCreate).status()));
  EXPECT_FALSE(PosixEnv()->Exists(Path("none/f")).value());
  Open("f");
  EXPECT_FALSE(PosixEnv()->OpenDirectory(Path("f")).ok());
}

TEST_F(PosixEnvTest, ALockOfAnotherProcessIsNamed) {
  Open("f");
  LockHolder holder(Path("f"));
  const absl::Status refused = PosixEnv()->Lock(Path("f"), LockMode::kExclusive).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  const std::string_view message = FromAbsl(refused.message());
  EXPECT_NE(message.find(Path("f")), message.npos) << message;
  if (::access("/proc/locks", R_OK) == 0) {
    EXPECT_NE(message.find(absl::StrCat("process ", holder.process(), ";")), message.npos)
        << message;
  }
  holder.Kill();
  EXPECT_TRUE(PosixEnv()->Lock(Path("f"), LockMode::kExclusive).ok());
}

// True when another process would get the lock.
bool IsFree(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return free;
}

TEST_F(PosixEnvTest, NeitherARefusedLockNorClosingTheFileLoosensTheLock) {
  const std::unique_ptr<File> file = Open("f");
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_FALSE(PosixEnv()->Lock(Path("f"), LockMode::kExclusive).ok());
  EXPECT_FALSE(IsFree(Path("f")));
  ASSERT_TRUE(Open("f")->Close().ok());
  ASSERT_TRUE(file->Close().ok());
  EXPECT_FALSE(IsFree(Path("f")));
  lock->reset();
  EXPECT_TRUE(IsFree(Path("f")));
}

TEST_F(PosixEnvTest, ALockIsOnTheFileNotOnItsName) {
  Open("f");
  ASSERT_EQ(::link(Path("f").c_str(), Path("g").c_str()), 0);
  const absl::StatusOr<std::unique_ptr<FileLock>> lock =
      PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(
      absl::IsFailedPrecondition(PosixEnv()->Lock(Path("g"), LockMode::kExclusive).status()));
}

TEST_F(PosixEnvTest, AForkedChildNeitherGetsNorLoosensTheLockOfItsParent) {
  Open("f");
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const int status = RunInChild([&] {
    const absl::Status refused = PosixEnv()->Lock(Path("f"), LockMode::kExclusive).status();
    if (!absl::IsFailedPrecondition(refused)) return 1;
    if (FromAbsl(refused.message()).find("this process") != std::string::npos) return 2;
    lock->reset();
    return 0;
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(IsFree(Path("f")));
}

TEST_F(PosixEnvTest, AForkedChildGetsTheLockThatItsParentHasGivenUp) {
  Open("f");
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
  ASSERT_TRUE(lock.ok()) << lock.status();
  int given_up[2];
  ASSERT_EQ(::pipe(given_up), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(given_up[0], &byte, 1) != 1) ::_exit(1);
    const absl::StatusOr<std::unique_ptr<FileLock>> own =
        PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
    if (!own.ok()) ::_exit(2);
    lock->reset();  // the copy of its parent's
    if (PosixEnv()->Lock(Path("f"), LockMode::kShared).ok()) ::_exit(3);
    ::_exit(IsFree(Path("f")) ? 4 : 0);
  }
  lock->reset();
  ASSERT_EQ(::write(given_up[1], "x", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::close(given_up[0]);
  ::close(given_up[1]);
}

// What a killed process has given to the kernel keeps the description that it was given through, as
// a child does that has inherited the file and nothing else.
TEST_F(PosixEnvTest, ALockIsHeldAsLongAsItsProcessMayStillWriteToTheFile) {
  const std::string path = Path("f");
  Open("f");
  if (!PosixEnv()->OpenFile(path, kDirect).ok()) GTEST_SKIP() << "no O_DIRECT here";
  int ends_writing[2];
  ASSERT_EQ(::pipe(ends_writing), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    absl::StatusOr<std::unique_ptr<FileLock>> lock = PosixEnv()->Lock(path, LockMode::kExclusive);
    const absl::StatusOr<std::unique_ptr<File>> file = PosixEnv()->OpenFile(path, kDirect);
    if (!lock.ok() || !file.ok()) ::_exit(1);
    if (::fork() == 0) {
      lock->reset();  // the copy of its parent's
      ::close(ends_writing[1]);
      char byte = 0;
      ::_exit(::read(ends_writing[0], &byte, 1) == 0 ? 0 : 1);
    }
    ::_exit(0);
  }
  // Not reaped yet: so the system names it, in any pid namespace.
  siginfo_t ended = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(holder), &ended, WEXITED | WNOWAIT), 0);
  ASSERT_EQ(ended.si_status, 0);
  EXPECT_FALSE(IsFree(path));
  // Who asks meanwhile waits, since the process is gone.
  std::atomic<bool> is_over = false;
  std::thread ends_it([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    is_over = true;
    ::close(ends_writing[1]);
  });
  const absl::StatusOr<std::unique_ptr<FileLock>> lock =
      PosixEnv()->Lock(path, LockMode::kExclusive);
  EXPECT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(is_over);
  ends_it.join();
  int status = -1;
  EXPECT_EQ(::waitpid(holder, &status, 0), holder);
  ::close(ends_writing[0]);
}

TEST_F(PosixEnvTest, NoFileTakesThePlaceOfAClosedStandardStream) {
  const int status = RunInChild([&] {
    for (const int stream : {0, 1, 2}) ::close(stream);
    const std::unique_ptr<File> file = *PosixEnv()->OpenFile(Path("f"), kCreate);
    const std::unique_ptr<RingMapping> ring = *PosixEnv()->MapRing(Path("r"), 1 << 16);
    const std::unique_ptr<FileLock> lock = *PosixEnv()->Lock(Path("f"), LockMode::kExclusive);
    const std::unique_ptr<Directory> directory = *PosixEnv()->OpenDirectory(Path(""));
    if (!directory->List().ok()) return 1;
    for (const int stream : {0, 1, 2}) {
      if (::fcntl(stream, F_GETFD) >= 0) return 10 + stream;
    }
    return 0;
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(PosixEnvTest, WhatIsStoredInARingSurvivesSigkill) {
  constexpr size_t kSize = 1 << 16;
  const int status = RunInChild([&] {
    const std::unique_ptr<RingMapping> ring = *PosixEnv()->MapRing(Path("r"), kSize);
    std::memset(ring->data() + kSize - 100, 'k', 200);
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  const std::unique_ptr<RingMapping> ring = *PosixEnv()->MapRing(Path("r"), kSize);
  EXPECT_EQ(std::string(ring->data() + kSize - 100, 200), std::string(200, 'k'));
  EXPECT_EQ(ring->data()[100], '\0');
}

}  // namespace
}  // namespace emdb
