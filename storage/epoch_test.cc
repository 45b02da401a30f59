#include "storage/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "storage/splitmix.h"

namespace emdb {
namespace {

TEST(EpochTest, RetiredIsDestroyedWhenNoGuardIsHeld) {
  Epoch epoch;
  int destroyed = 0;
  epoch.Retire([&] { ++destroyed; });
  EXPECT_EQ(epoch.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochTest, AGuardKeepsWhatIsRetiredAfterIt) {
  Epoch epoch;
  int destroyed = 0;
  {
    EpochGuard guard(&epoch);
    epoch.Retire([&] { ++destroyed; });
    EXPECT_EQ(epoch.Reclaim(), 1u);
    EXPECT_EQ(destroyed, 0);
  }
  EXPECT_EQ(epoch.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochTest, AGuardDoesNotKeepWhatWasRetiredBeforeIt) {
  Epoch epoch;
  int destroyed = 0;
  epoch.Retire([&] { ++destroyed; });
  EpochGuard guard(&epoch);
  EXPECT_EQ(epoch.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochTest, TheOutermostOfNestedGuardsCounts) {
  Epoch epoch;
  int destroyed = 0;
  {
    EpochGuard outer(&epoch);
    epoch.Retire([&] { ++destroyed; });
    { EpochGuard inner(&epoch); }
    EXPECT_EQ(epoch.Reclaim(), 1u);
  }
  EXPECT_EQ(epoch.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochTest, GuardsOfDifferentEpochsAreIndependent) {
  Epoch one;
  Epoch other;
  int destroyed = 0;
  EpochGuard guard(&one);
  other.Retire([&] { ++destroyed; });
  EXPECT_EQ(other.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochTest, RetireAloneReclaimsInTheEnd) {
  Epoch epoch;
  int destroyed = 0;
  for (int i = 0; i < 1000; ++i) epoch.Retire([&] { ++destroyed; });
  EXPECT_GE(destroyed, 900);
}

TEST(EpochTest, ACallbackMayRetireAgain) {
  int destroyed = 0;
  {
    Epoch epoch;
    epoch.Retire([&] {
      ++destroyed;
      epoch.Retire([&] { ++destroyed; });
    });
  }
  EXPECT_EQ(destroyed, 2);
}

TEST(EpochTest, SynchronizeWaitsForTheGuardsOfOtherThreads) {
  Epoch epoch;
  std::atomic<int> stage{0};
  std::atomic<bool> left{false};
  std::thread reader([&] {
    EpochGuard guard(&epoch);
    stage.store(1);
    while (stage.load() != 2) std::this_thread::yield();
    left.store(true);
  });
  while (stage.load() != 1) std::this_thread::yield();
  bool destroyed = false;
  epoch.Retire([&] { destroyed = true; });
  EXPECT_EQ(epoch.Reclaim(), 1u);
  stage.store(2);
  epoch.Synchronize();
  EXPECT_TRUE(left.load());
  EXPECT_TRUE(destroyed);
  reader.join();
}

// However readers come and go: one that has read the number of the epoch, and not stored it yet, is
// seen late.
TEST(EpochTest, SynchronizeHasRunWhatWasRetiredBefore) {
  Epoch epoch;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load()) EpochGuard guard(&epoch);
    });
  }
  for (int i = 0; i < 300; ++i) {
    bool destroyed = false;
    epoch.Retire([&] { destroyed = true; });
    epoch.Synchronize();
    ASSERT_TRUE(destroyed) << i;
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
}

TEST(EpochTest, MoreThreadsThanSlotsAreSafe) {
  constexpr int kThreads = 300;
  Epoch epoch;
  std::atomic<int> inside{0};
  std::atomic<bool> leave{false};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      EpochGuard outer(&epoch);
      EpochGuard inner(&epoch);
      inside.fetch_add(1);
      while (!leave.load()) std::this_thread::yield();
    });
  }
  while (inside.load() != kThreads) std::this_thread::yield();
  int destroyed = 0;
  epoch.Retire([&] { ++destroyed; });
  EXPECT_EQ(epoch.Reclaim(), 1u);
  leave.store(true);
  epoch.Synchronize();
  EXPECT_EQ(destroyed, 1);
  for (std::thread& thread : threads) thread.join();
}

// An object that shows whether it is used after its end.
struct Canary {
  static constexpr uint64_t kAlive = 0x600dcafe;
  std::atomic<uint64_t> word{kAlive};
};

TEST(EpochTest, ReadersNeverSeeWhatWasDestroyed) {
  constexpr int kReaders = 4;
  constexpr int kVersions = 20000;
  Epoch epoch;
  std::atomic<Canary*> current{new Canary};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> dead_seen{0};
  std::vector<std::thread> readers;
  readers.reserve(kReaders);
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      while (!done.load()) {
        EpochGuard guard(&epoch);
        const Canary* const canary = current.load(std::memory_order_acquire);
        for (int look = 0; look < 3; ++look) {
          if (canary->word.load(std::memory_order_relaxed) != Canary::kAlive) ++dead_seen;
        }
      }
    });
  }
  std::atomic<uint64_t> destroyed{0};
  for (int i = 0; i < kVersions; ++i) {
    Canary* const old = current.exchange(new Canary, std::memory_order_acq_rel);
    epoch.Retire([old, &destroyed] {
      old->word.store(0, std::memory_order_relaxed);
      delete old;
      ++destroyed;
    });
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  epoch.Synchronize();
  EXPECT_EQ(destroyed.load(), static_cast<uint64_t>(kVersions));
  EXPECT_EQ(dead_seen.load(), 0u);
  delete current.load();
}

// The reader's store of its slot must not be overtaken by its load of the pointer. To give it every
// chance, stores that miss the caches go before it, and the reclaimer looks at once.
TEST(EpochTest, AReclaimerThatLooksAtOnceSeesTheReader) {
  constexpr int kVersions = 30000;
  std::vector<Canary> canaries(kVersions + 1);
  Epoch epoch;
  std::atomic<Canary*> current{&canaries[0]};
  std::atomic<bool> ready{false};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> dead_seen{0};
  std::thread reader([&] {
    std::vector<char> cold(64 << 20);
    uint64_t random = 1;
    ready.store(true);
    while (!done.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 40; ++i) cold[SplitMix64(&random) % cold.size()] = 1;
      EpochGuard guard(&epoch);
      const Canary* const canary = current.load(std::memory_order_acquire);
      for (int look = 0; look < 1000; ++look) {
        if (canary->word.load(std::memory_order_relaxed) != Canary::kAlive) ++dead_seen;
      }
    }
  });
  while (!ready.load()) std::this_thread::yield();
  for (int i = 0; i < kVersions; ++i) {
    Canary* const old = current.exchange(&canaries[i + 1], std::memory_order_acq_rel);
    epoch.Retire([old] { old->word.store(0, std::memory_order_relaxed); });
    epoch.Reclaim();
  }
  done.store(true);
  reader.join();
  EXPECT_EQ(dead_seen.load(), 0u);
}

TEST(EpochTest, ThreadsThatComeAndGoReuseSlots) {
  Epoch epoch;
  int destroyed = 0;
  for (int i = 0; i < 1000; ++i) {
    std::thread([&] { EpochGuard guard(&epoch); }).join();
  }
  epoch.Retire([&] { ++destroyed; });
  EXPECT_EQ(epoch.Reclaim(), 0u);
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace emdb
