#include "kv/forked_run.h"

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "kv/shared_memory.h"
#include "storage/check.h"

namespace emdb {
namespace {

constexpr unsigned kMaxProcesses = 16;

// What a child tells its parent, in memory they share.
struct Report {
  static constexpr size_t kMaxFailures = 5;

  uint64_t current = 0;  // the check that runs
  size_t failure_count = 0;
  char failures[kMaxFailures][2048] = {};
};

void AddFailure(uint64_t i, const std::string& what, Report* report) {
  std::snprintf(report->failures[report->failure_count], sizeof(report->failures[0]),
                "check %llu: %s", static_cast<unsigned long long>(i), what.c_str());
  ++report->failure_count;
}

std::string HowItEnded(int status, const Report& report) {
  const std::string where = "check " + std::to_string(report.current) + " ended its process by ";
  if (WIFSIGNALED(status)) {
    return where + "signal " + strsignal(WTERMSIG(status)) +
           (WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  }
  if (WEXITSTATUS(status) != 0) return where + "exit " + std::to_string(WEXITSTATUS(status));
  return "";
}

// One check after another takes and frees the same memory, and to get it from the kernel each time,
// for each thread anew, takes longer than many a check.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_ARENA_MAX, 1);
}

// Keeps this process to the processor `number`, counted round those it may run on.
void KeepToOneProcessor(unsigned number) {
  cpu_set_t allowed;
  EMDB_CHECK(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
  unsigned left = number % static_cast<unsigned>(CPU_COUNT(&allowed));
  int processor = 0;
  while (!CPU_ISSET(processor, &allowed) || left-- > 0) ++processor;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  EMDB_CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

}  // namespace

ForkedRun RunForked(uint64_t count, const std::function<std::string(uint64_t)>& check,
                    const ForkedRunOptions& options) {
  EMDB_CHECK(options.processes <= kMaxProcesses);
  SharedMemory<std::array<Report, kMaxProcesses>> reports;
  std::vector<pid_t> children;
  std::fflush(nullptr);  // or each child would print it again
  for (unsigned child = 0; child < options.processes; ++child) {
    const pid_t pid = fork();
    EMDB_CHECK(pid >= 0);
    if (pid > 0) {
      children.push_back(pid);
      continue;
    }
    KeepFreedMemory();
    if (options.one_processor_each) KeepToOneProcessor(child);
    Report* const report = &(*reports)[child];
    for (uint64_t i = child; i < count && report->failure_count < Report::kMaxFailures;
         i += options.processes) {
      report->current = i;
      alarm(options.seconds_per_check);  // whose signal ends the process
      const std::string what = check(i);
      if (!what.empty()) AddFailure(i, what, report);
    }
    _exit(0);
  }
  ForkedRun run;
  for (unsigned child = 0; child < options.processes; ++child) {
    int status = 0;
    rusage usage = {};
    EMDB_CHECK(wait4(children[child], &status, 0, &usage) == children[child]);
    const Report& report = (*reports)[child];
    for (size_t i = 0; i < report.failure_count; ++i) run.failures.emplace_back(report.failures[i]);
    const std::string end = HowItEnded(status, report);
    if (!end.empty()) run.failures.push_back(end);
    run.peak_memory_bytes =
        std::max(run.peak_memory_bytes, static_cast<uint64_t>(usage.ru_maxrss) * 1024);
  }
  return run;
}

}  // namespace emdb
