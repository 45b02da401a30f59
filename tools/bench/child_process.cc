#include "tools/bench/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <new>

#include "absl/cleanup/cleanup.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr int kPollMillis = 200;
constexpr int kParentGoneExitCode = 75;

// The child's side of fork; does not return.
[[noreturn]] void BeChild(int fd, Progress* progress,
                          absl::FunctionRef<void(ChildChannel*)> function) {
  // A runner that is killed must not leave engines running.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ChildChannel channel(fd, progress);
  function(&channel);
  // Not exit: what the parent had registered or buffered is not the child's to run or flush.
  _exit(0);
}

// Splits off the complete lines of *buffer.
void TakeLines(std::string* buffer, std::vector<std::string>* lines) {
  size_t start = 0;
  for (size_t end; (end = buffer->find('\n', start)) != std::string::npos; start = end + 1) {
    lines->push_back(buffer->substr(start, end - start));
  }
  buffer->erase(0, start);
}

// Reads until the child closes its end. Returns whether it did by itself.
void Collect(const ChildOptions& options, int fd, const Progress& progress, ChildResult* result) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline =
      Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(options.timeout_seconds * 1e3));
  std::string buffer;
  while (true) {
    pollfd waits[] = {{fd, POLLIN, 0}, {options.stop_fd, POLLIN, 0}};
    const int ready = poll(waits, 2, kPollMillis);
    options.on_progress(progress);
    if (ready > 0 && (waits[1].revents & POLLIN) != 0) {
      result->was_interrupted = true;
      return;
    }
    if (Clock::now() >= deadline) {
      result->has_timed_out = true;
      return;
    }
    if (ready <= 0 || waits[0].revents == 0) continue;
    char chunk[4096];
    const ssize_t size = read(fd, chunk, sizeof(chunk));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    buffer.append(chunk, size);
    TakeLines(&buffer, &result->lines);
  }
}

absl::Status Reap(pid_t pid, ChildResult* result) {
  int wait_status = 0;
  rusage usage{};
  while (wait4(pid, &wait_status, 0, &usage) < 0) {
    if (errno != EINTR) return IoError(errno, "wait4", "child process");
  }
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  result->usage = {.peak_memory_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024,
                   .user_seconds = seconds(usage.ru_utime),
                   .system_seconds = seconds(usage.ru_stime),
                   .minor_faults = static_cast<uint64_t>(usage.ru_minflt),
                   .major_faults = static_cast<uint64_t>(usage.ru_majflt)};
  result->has_exited = WIFEXITED(wait_status);
  result->exit_code_or_signal =
      result->has_exited ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status);
  return absl::OkStatus();
}

}  // namespace

void ChildChannel::Send(std::string_view line) {
  std::string bytes(line);
  bytes.push_back('\n');
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t size = write(fd_, bytes.data() + written, bytes.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) _exit(kParentGoneExitCode);
    written += size;
  }
}

absl::StatusOr<ChildResult> RunChild(const ChildOptions& options,
                                     absl::FunctionRef<void(ChildChannel*)> function) {
  void* const shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return IoError(errno, "mmap", "progress");
  const absl::Cleanup unmap = [shared] { munmap(shared, sizeof(Progress)); };
  Progress* const progress = new (shared) Progress;

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return IoError(errno, "pipe", "child process");
  const pid_t pid = fork();
  if (pid < 0) {
    const absl::Status status = IoError(errno, "fork", "child process");
    close(ends[0]);
    close(ends[1]);
    return status;
  }
  if (pid == 0) {
    close(ends[0]);
    BeChild(ends[1], progress, function);
  }
  close(ends[1]);
  ChildResult result;
  Collect(options, ends[0], *progress, &result);
  close(ends[0]);
  if (result.was_interrupted || result.has_timed_out) kill(pid, SIGKILL);
  EMDB_RETURN_IF_ERROR(Reap(pid, &result));
  return result;
}

}  // namespace emdb::bench
