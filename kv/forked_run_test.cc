#include "kv/forked_run.h"

#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(ForkedRunTest, ChecksThatFindNothingGiveNoFailures) {
  EXPECT_TRUE(RunForked(10, [](uint64_t) { return std::string(); }).failures.empty());
}

TEST(ForkedRunTest, FailureNamesItsCheck) {
  const ForkedRun run =
      RunForked(10, [](uint64_t i) { return i == 7 ? std::string("wrong") : std::string(); });
  EXPECT_EQ(run.failures, std::vector<std::string>{"check 7: wrong"});
}

TEST(ForkedRunTest, CrashNamesItsCheck) {
  const ForkedRun run = RunForked(10, [](uint64_t i) {
    if (i == 4) raise(SIGKILL);
    return std::string();
  });
  ASSERT_EQ(run.failures.size(), 1u);
  EXPECT_NE(run.failures[0].find("check 4 ended its process by signal Killed"), std::string::npos);
}

TEST(ForkedRunTest, HangIsEnded) {
  const ForkedRun run = RunForked(1,
                                  [](uint64_t) {
                                    while (true) pause();
                                    return std::string();
                                  },
                                  {.processes = 1, .seconds_per_check = 1});
  ASSERT_EQ(run.failures.size(), 1u);
  EXPECT_NE(run.failures[0].find("it hung"), std::string::npos);
}

TEST(ForkedRunTest, EachKeepsToOneProcessor) {
  const ForkedRun run = RunForked(4,
                                  [](uint64_t) {
                                    cpu_set_t allowed;
                                    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
                                      return "error";
                                    return CPU_COUNT(&allowed) == 1 ? "" : "more than one";
                                  },
                                  {.processes = 4, .one_processor_each = true});
  EXPECT_TRUE(run.failures.empty());
}

TEST(ForkedRunTest, MemoryIsMeasured) {
  constexpr size_t kSize = size_t{100} << 20;
  const ForkedRun run = RunForked(1, [](uint64_t) {
    const std::vector<char> memory(kSize, 'x');
    return std::string(memory[kSize / 2] == 'x' ? "" : "no");
  });
  EXPECT_TRUE(run.failures.empty());
  EXPECT_GE(run.peak_memory_bytes, kSize);
}

}  // namespace
}  // namespace emdb
