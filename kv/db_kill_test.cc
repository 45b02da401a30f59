// A child process is killed with SIGKILL while it writes; every write that returned must be there
// afterwards, synced or not.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

Options KillOptions() {
  Options options;
  // So that checkpoints and rotations happen while the child lives.
  options.memtable_size = 256 << 10;
  options.wal_segment_size = 256 << 10;
  options.cache_size = 4 << 20;
  return options;
}

std::string Key(uint64_t n) { return "key" + std::to_string(n); }
std::string Value(uint64_t n) { return std::string(n % 300, static_cast<char>('a' + n % 26)); }

// The child: writes keys `first`, `first` + 1, ... and reports each number behind the write that
// returned.
[[noreturn]] void WriteUntilKilled(const std::string& path, uint64_t first, bool sync, int report) {
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(KillOptions(), path);
  if (!db.ok()) _exit(1);
  for (uint64_t n = first;; ++n) {
    if (!(*db)->Put(Key(n), Value(n), {.sync = sync}).ok()) _exit(2);
    if (write(report, &n, sizeof(n)) != sizeof(n)) _exit(3);
  }
}

class DbKillTest : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(, DbKillTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) {
                           return info.param ? "Synced" : "Unsynced";
                         });

TEST_P(DbKillTest, NoWriteThatReturnedIsLost) {
  constexpr int kKills = 5;
  const bool sync = GetParam();
  const uint64_t writes_per_life = sync ? 100 : 5000;
  TempDirectory directory;
  const std::string path = directory.Path("kill.emdb");
  uint64_t next = 0;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(path, next, sync, pipe_ends[1]);
    close(pipe_ends[1]);
    uint64_t returned = 0;
    const uint64_t goal = next + writes_per_life + static_cast<uint64_t>(kill_number) * 37;
    while (returned < goal && read(pipe_ends[0], &returned, sizeof(returned)) == sizeof(returned)) {
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    // What it still managed to report.
    while (read(pipe_ends[0], &returned, sizeof(returned)) == sizeof(returned)) {
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    ASSERT_GE(returned, goal);

    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(KillOptions(), path);
    ASSERT_TRUE(db.ok()) << db.status();
    std::string value;
    for (uint64_t n = 0; n <= returned; ++n) {
      ASSERT_TRUE((*db)->Get(Key(n), &value).ok()) << n << " of " << returned;
      ASSERT_EQ(value, Value(n));
    }
    // At most the one that had not returned.
    ASSERT_FALSE((*db)->Get(Key(returned + 2), &value).ok());
    next = returned + 1;
    ASSERT_TRUE((*db)->Verify().ok());
  }
}

}  // namespace
}  // namespace emdb
