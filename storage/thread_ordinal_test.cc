#include "storage/thread_ordinal.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace emdb {
namespace {

TEST(ThreadOrdinalTest, LivingThreadsHaveDifferentOnesAndDeadOnesGiveThemBack) {
  constexpr size_t kThreads = 50;
  for (int round = 0; round < 3; ++round) {
    std::array<size_t, kThreads> ordinals;
    std::atomic<size_t> ready{0};
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        ordinals[i] = ThreadOrdinal();
        ready.fetch_add(1);
        while (ready.load() != kThreads) std::this_thread::yield();
        EXPECT_EQ(ThreadOrdinal(), ordinals[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<bool> seen(kThreads + 1, false);
    for (const size_t ordinal : ordinals) {
      ASSERT_LE(ordinal, kThreads);
      EXPECT_FALSE(seen[ordinal]);
      seen[ordinal] = true;
    }
  }
}

}  // namespace
}  // namespace emdb
