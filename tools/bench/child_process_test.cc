#include "tools/bench/child_process.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void Ignore(const Progress&) {}

ChildResult RunHere(absl::FunctionRef<void(ChildChannel*)> function, double timeout_seconds = 60) {
  const ChildOptions options{
      .stop_fd = -1, .timeout_seconds = timeout_seconds, .on_progress = Ignore};
  absl::StatusOr<ChildResult> result = RunChild(options, function);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

TEST(ChildProcessTest, LinesArriveInOrder) {
  const ChildResult result = RunHere([](ChildChannel* channel) {
    channel->Send("first");
    channel->Send("");
    channel->Send(std::string(100'000, 'x'));
  });
  EXPECT_TRUE(result.has_exited);
  EXPECT_EQ(result.exit_code_or_signal, 0);
  EXPECT_THAT(result.lines, ElementsAre("first", "", std::string(100'000, 'x')));
}

TEST(ChildProcessTest, WhatWasSentBeforeACrashIsKept) {
  const ChildResult result = RunHere([](ChildChannel* channel) {
    channel->Send("before");
    kill(getpid(), SIGKILL);
  });
  EXPECT_FALSE(result.has_exited);
  EXPECT_EQ(result.exit_code_or_signal, SIGKILL);
  EXPECT_THAT(result.lines, ElementsAre("before"));
}

TEST(ChildProcessTest, MemoryIsTheChildsOwn) {
  constexpr size_t kBytes = size_t{64} << 20;
  const ChildResult large = RunHere([](ChildChannel* channel) {
    std::vector<char> memory(kBytes);
    memset(memory.data(), 1, memory.size());
    channel->Send(std::to_string(memory[kBytes / 2]));
  });
  const ChildResult small = RunHere([](ChildChannel*) {});
  EXPECT_GE(large.usage.peak_memory_bytes, small.usage.peak_memory_bytes + kBytes / 2);
  EXPECT_GT(large.usage.minor_faults, small.usage.minor_faults);
}

TEST(ChildProcessTest, AHangingChildIsKilled) {
  const ChildResult result = RunHere([](ChildChannel*) { pause(); }, /*timeout_seconds=*/0.05);
  EXPECT_TRUE(result.has_timed_out);
  EXPECT_FALSE(result.has_exited);
}

TEST(ChildProcessTest, AStopKillsTheChild) {
  const int stop_fd = eventfd(1, EFD_CLOEXEC);
  const ChildOptions options{.stop_fd = stop_fd, .timeout_seconds = 60, .on_progress = Ignore};
  const absl::StatusOr<ChildResult> result = RunChild(options, [](ChildChannel*) { pause(); });
  close(stop_fd);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->was_interrupted);
  EXPECT_THAT(result->lines, IsEmpty());
}

TEST(ChildProcessTest, ProgressIsSeenByTheParent) {
  std::string phase;
  double fraction = 0;
  const auto look = [&](const Progress& progress) {
    phase = progress.phase();
    fraction = progress.fraction();
  };
  const ChildOptions options{.stop_fd = -1, .timeout_seconds = 60, .on_progress = look};
  ASSERT_TRUE(RunChild(options, [](ChildChannel* channel) {
                channel->progress()->BeginPhase("reading");
                channel->progress()->SetFraction(0.25);
                channel->Send("so that the parent looks");
              }).ok());
  EXPECT_EQ(phase, "reading");
  EXPECT_EQ(fraction, 0.25);
}

}  // namespace
}  // namespace emdb::bench
