#include "tools/bench/process_usage.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

TEST(ProcessUsageTest, ThreadsThatRunAreBusyAndThoseThatWaitAreNot) {
  // The caller does not count; a thread of a sanitizer may, now and then.
  while (CountBusyThreads() > 0) std::this_thread::yield();
  std::atomic<bool> may_end = false;
  std::atomic<bool> is_there = false;
  std::thread running([&] {
    is_there = true;
    while (!may_end) continue;
  });
  while (!is_there) std::this_thread::yield();
  EXPECT_GE(CountBusyThreads(), 1);
  may_end = true;
  running.join();

  std::thread waiting([&may_end] { may_end.wait(true); });
  // At some time it has come to where it waits.
  while (CountBusyThreads() > 0) std::this_thread::yield();
  may_end = false;
  may_end.notify_one();
  waiting.join();
}

}  // namespace
}  // namespace emdb::bench
