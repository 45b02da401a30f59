// That a seed decides who goes on, that it does so each time, and that it finds what depends on it.

#include "storage/thread_scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "storage/mutex.h"

namespace emdb {
namespace {

class ThreadSchedulerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ThreadScheduler::IsAvailable()) GTEST_SKIP() << "not under a sanitizer";
  }
};

// Three threads write their letters under a lock.
struct Letters {
  std::string order;
  ThreadScheduler::Counts counts;
};

Letters WriteLetters(uint64_t seed) {
  Letters letters;
  const ThreadScheduler scheduler(seed);
  Mutex mutex;
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (const char letter : {'a', 'b', 'c'}) {
    threads.emplace_back([letter, &mutex, &letters] {
      for (int i = 0; i < 4; ++i) {
        const MutexLock lock(&mutex);
        letters.order += letter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  letters.counts = scheduler.counts();
  return letters;
}

TEST_F(ThreadSchedulerTest, ASeedRepeatsItsOrderAndSeedsDiffer) {
  constexpr uint64_t kSeeds = 100;
  std::set<std::string> orders;
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Letters once = WriteLetters(seed);
    const Letters again = WriteLetters(seed);
    EXPECT_EQ(once.order, again.order) << "seed " << seed;
    EXPECT_EQ(once.counts.order, again.counts.order) << "seed " << seed;
    EXPECT_EQ(once.order.size(), 12u);
    EXPECT_EQ(once.counts.threads, 3u);
    EXPECT_GE(once.counts.switches, 3u);
    orders.insert(once.order);
    hashes.insert(once.counts.order);
  }
  EXPECT_GT(orders.size(), kSeeds / 3);
  EXPECT_GT(hashes.size(), kSeeds / 2);
}

// How many of the first hundred seeds show what `run` returns true for.
uint64_t SeedsThatShow(const std::function<bool()>& run) {
  uint64_t shown = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const ThreadScheduler scheduler(seed);
    if (run()) ++shown;
  }
  return shown;
}

TEST_F(ThreadSchedulerTest, ALostUpdateIsFound) {
  const uint64_t shown = SeedsThatShow([] {
    Mutex mutex;
    int number = 0;
    // Reads and writes under the lock, but not under one.
    const auto increment = [&mutex, &number] {
      int read = 0;
      {
        const MutexLock lock(&mutex);
        read = number;
      }
      const MutexLock lock(&mutex);
      number = read + 1;
    };
    std::thread other(increment);
    increment();
    other.join();
    return number == 1;
  });
  EXPECT_GT(shown, 5u);
  EXPECT_LT(shown, 95u);
}

TEST_F(ThreadSchedulerTest, ALockIsHeldByOneThreadAndReadByMany) {
  SharedMutex mutex;
  bool writes = false;
  int readers = 0;
  int most_readers = 0;
  bool wrong = false;
  const uint64_t shown = SeedsThatShow([&] {
    most_readers = 0;
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 5; ++k) {
          {
            const ReaderLock lock(&mutex);
            most_readers = std::max(most_readers, ++readers);
            std::this_thread::yield();
            wrong = wrong || writes;
            --readers;
          }
          const WriterLock lock(&mutex);
          wrong = wrong || writes || readers > 0;
          writes = true;
          std::this_thread::yield();
          writes = false;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return most_readers == 3;
  });
  EXPECT_FALSE(wrong);
  EXPECT_GT(shown, 5u);
}

TEST_F(ThreadSchedulerTest, WaitsEndWhenTheyAreSignalledOrTheirTimeHasCome) {
  const auto start = std::chrono::steady_clock::now();
  uint64_t timeouts = 0;
  SeedsThatShow([&timeouts] {
    Mutex mutex;
    CondVar changed;
    std::counting_semaphore<> semaphore(0);
    std::atomic<uint32_t> word = 0;
    bool is_set = false;
    std::thread other([&] {
      semaphore.acquire();
      std::this_thread::sleep_for(std::chrono::hours(1));
      {
        const MutexLock lock(&mutex);
        is_set = true;
        changed.SignalAll();
      }
      word = 1;
      word.notify_one();
    });
    semaphore.release();
    {
      const MutexLock lock(&mutex);
      while (!is_set) {
        if (!changed.WaitFor(&mutex, std::chrono::minutes(40))) ++timeouts;
      }
    }
    word.wait(0);
    other.join();
    return true;
  });
  // One in an hour, but for sleeps that end early.
  EXPECT_GE(timeouts, 50u);
  EXPECT_LE(timeouts, 100u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(10));
}

TEST_F(ThreadSchedulerTest, TimePassesForAThreadThatYieldsWhileAllOthersSleep) {
  SeedsThatShow([] {
    std::atomic<bool> is_done = false;
    std::thread other([&is_done] {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      is_done = true;
    });
    while (!is_done) std::this_thread::yield();
    other.join();
    return true;
  });
}

TEST_F(ThreadSchedulerTest, ThreadLocalDestructorsRunBeforeTheThreadHasEnded) {
  struct AtEnd {
    explicit AtEnd(Mutex* its_mutex, int* its_ends) : mutex(its_mutex), ends(its_ends) {}
    ~AtEnd() {
      const MutexLock lock(mutex);
      ++*ends;
    }
    Mutex* const mutex;
    int* const ends;
  };
  SeedsThatShow([] {
    Mutex mutex;
    int ends = 0;
    const auto run = [&mutex, &ends] { thread_local const AtEnd at_end(&mutex, &ends); };
    std::thread first(run);
    std::thread second(run);
    first.join();
    second.join();
    EXPECT_EQ(ends, 2);
    return true;
  });
}

using ThreadSchedulerDeathTest = ThreadSchedulerTest;

TEST_F(ThreadSchedulerDeathTest, ALostWakeUpAndADeadlockEndTheProcess) {
  EXPECT_DEATH(
      {
        const ThreadScheduler scheduler(1);
        Mutex mutex;
        CondVar changed;
        const MutexLock lock(&mutex);
        changed.Wait(&mutex);
      },
      "all threads wait, for ever");
  EXPECT_DEATH(SeedsThatShow([] {
                 Mutex a;
                 Mutex b;
                 std::thread other([&a, &b] {
                   const MutexLock first(&b);
                   const MutexLock second(&a);
                 });
                 {
                   const MutexLock first(&a);
                   const MutexLock second(&b);
                 }
                 other.join();
                 return true;
               }),
               "all threads wait, for ever");
}

}  // namespace
}  // namespace emdb
