// A real process, killed with SIGKILL in the middle of its work on real files.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "storage/posix_env.h"
#include "storage/temp_directory.h"
#include "wal/testing.h"

namespace emdb {
namespace {

// The child: appends without a sync and reports each seq that Append returned, until it is killed.
[[noreturn]] void AppendUntilKilled(const std::string& path, int report_to) {
  absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(path, SmallLog(PosixEnv()));
  if (!wal.ok()) ::_exit(2);
  for (uint64_t n = (*wal)->next_seq();; ++n) {
    const absl::StatusOr<uint64_t> seq = (*wal)->Append(TestRecord(n));
    if (!seq.ok() || *seq != n) ::_exit(3);
    if (::write(report_to, &n, sizeof(n)) != sizeof(n)) ::_exit(4);
  }
}

// Starts a child, kills it after `reports` of its reports, and returns the last seq that it
// reported.
uint64_t RunAndKill(const std::string& path, int reports) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(fds[0]);
    AppendUntilKilled(path, fds[1]);
  }
  ::close(fds[1]);
  uint64_t last = 0;
  for (int i = 0; i < reports; ++i) {
    const ssize_t got = ::read(fds[0], &last, sizeof(last));
    EXPECT_EQ(got, static_cast<ssize_t>(sizeof(last))) << "the child ended by itself";
    if (got != static_cast<ssize_t>(sizeof(last))) break;
  }
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  // What it reported before it died.
  for (uint64_t n = 0; ::read(fds[0], &n, sizeof(n)) == sizeof(n);) last = n;
  ::close(fds[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  return last;
}

TEST(WalKillTest, UnsyncedAppendsSurviveSigkill) {
  const TempDirectory directory;
  const std::string path = directory.Path("log");
  uint64_t kept = 0;
  for (const int reports : {1, 10, 100, 1000, 3000}) {
    const uint64_t last = RunAndKill(path, reports);
    const auto wal = OpenLog(path, SmallLog(PosixEnv()));
    ASSERT_NE(wal, nullptr);
    ASSERT_GE(wal->next_seq(), last + 1);
    kept = wal->next_seq();
    ExpectRecords(wal.get(), 0, kept);
    // The next one finds a log that was closed.
  }
  EXPECT_GT(kept, 4000u);
}

}  // namespace
}  // namespace emdb
