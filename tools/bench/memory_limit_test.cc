#include "tools/bench/memory_limit.h"

#include <signal.h>
#include <string.h>

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tools/bench/child_process.h"

namespace emdb::bench {
namespace {

// Lets a child in a group of 32 MiB use `bytes` of memory.
ChildResult UseMemory(const MemoryLimit& limit, size_t bytes) {
  const auto ignore = [](const Progress&) {};
  const ChildOptions options{.stop_fd = -1, .timeout_seconds = 60, .on_progress = ignore};
  absl::StatusOr<ChildResult> result = RunChild(options, [&limit, bytes](ChildChannel* channel) {
    const absl::Status entered = limit.Enter();
    if (!entered.ok()) {
      channel->Send(entered.ToString());
      return;
    }
    std::vector<char> memory(bytes);
    memset(memory.data(), 1, memory.size());
    channel->Send(memory[bytes / 2] == 1 ? "used" : "lost");
  });
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

TEST(MemoryLimitTest, AProcessThatNeedsMoreIsKilledAndOneThatNeedsLessIsNot) {
  const absl::StatusOr<std::unique_ptr<MemoryLimit>> limit =
      MemoryLimit::Create(uint64_t{32} << 20);
  if (!limit.ok()) GTEST_SKIP() << limit.status();
  const ChildResult modest = UseMemory(**limit, size_t{4} << 20);
  ASSERT_EQ(modest.lines.size(), 1);
  EXPECT_EQ(modest.lines[0], "used");
  const ChildResult greedy = UseMemory(**limit, size_t{128} << 20);
  EXPECT_FALSE(greedy.has_exited);
  EXPECT_EQ(greedy.exit_code_or_signal, SIGKILL);
}

}  // namespace
}  // namespace emdb::bench
