#include "kv/fair_mutex.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(FairMutexTest, IsHadInTheOrderOfAsking) {
  FairMutex mutex;
  std::vector<int> order;
  std::vector<std::thread> threads;
  mutex.Lock();
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&mutex, &order, i] {
      const FairMutexLock lock(&mutex);
      order.push_back(i);
    });
    // One after another they come to wait.
    while (mutex.queue_length() < static_cast<uint64_t>(i) + 2) std::this_thread::yield();
  }
  mutex.Unlock();
  // Asks again at once, as one who would pass those that wait.
  mutex.Lock();
  order.push_back(8);
  mutex.Unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

}  // namespace
}  // namespace emdb
