// Runs simulations (kv/simulation.h), and shows that they notice a disk that lies.
//
// EMDB_SEED is the first seed, EMDB_RUNS how many. A failing seed is repeated by
//   bazel test //kv:db_simulation_test --test_env=EMDB_SEED=<seed> --test_env=EMDB_RUNS=1
// EMDB_STORY=1 prints what it does while it does it.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "kv/forked_run.h"
#include "kv/lying_env.h"
#include "kv/shared_memory.h"
#include "kv/simulation.h"
#include "kv/test_setting.h"
#include "storage/thread_scheduler.h"

namespace emdb {
namespace {

std::string LastLines(const SimulationResult& result) {
  constexpr size_t kLines = 25;
  const size_t count = result.story.size();
  std::string text;
  for (size_t i = count - std::min(count, kLines); i < count; ++i) text += result.story[i] + "\n";
  return text;
}

// Of all seeds, counted by the processes that run them.
struct Sums {
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> disk_operations{0};
  std::atomic<uint64_t> faults{0};
  std::atomic<uint64_t> kills{0};
  std::atomic<uint64_t> power_cuts{0};
  std::atomic<uint64_t> cut_recoveries{0};
  std::atomic<uint64_t> recoveries_cut_again{0};
  std::atomic<uint64_t> decisions{0};
  std::atomic<uint64_t> switches{0};

  void Add(const SimulationResult& result) {
    operations += result.operations;
    disk_operations += result.disk_operations;
    faults += result.faults;
    kills += result.kills;
    power_cuts += result.power_cuts;
    cut_recoveries += result.cut_recoveries;
    recoveries_cut_again += result.recoveries_cut_again;
    decisions += result.threads.decisions;
    switches += result.threads.switches;
  }

  void Print() const {
    const auto number = [](const std::atomic<uint64_t>& n) {
      return static_cast<unsigned long long>(n.load());
    };
    std::printf(
        "operations %llu, of the disk %llu, failed %llu, kills %llu, power cuts %llu, in "
        "recoveries %llu, in those of recoveries %llu, decisions about threads %llu, turns %llu\n",
        number(operations), number(disk_operations), number(faults), number(kills),
        number(power_cuts), number(cut_recoveries), number(recoveries_cut_again), number(decisions),
        number(switches));
  }
};

void RunSeeds(SimulationOptions options) {
  const uint64_t first = TestSetting("EMDB_SEED", 1);
  const uint64_t runs = TestAmount("EMDB_RUNS", 200);
  options.prints_story = TestSetting("EMDB_STORY", 0) != 0;
  SharedMemory<Sums> sums;
  // What a process does only once is behind it before children begin to differ.
  Simulate(first, options);
  const ForkedRun run = RunForked(
      runs,
      [&](uint64_t i) {
        const uint64_t seed = first + i;
        const SimulationResult result = Simulate(seed, options);
        sums->Add(result);
        if (result.failure.empty()) return std::string();
        return result.failure + "\nEMDB_SEED=" + std::to_string(seed) + " EMDB_RUNS=1\n" +
               LastLines(result);
      },
      // Threads take turns, so a second processor only costs: the kernel wakes it at each turn.
      {.one_processor_each = ThreadScheduler::IsAvailable()});
  for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
  sums->Print();
  if (runs < 100) return;  // a repeated seed need not have everything
  EXPECT_GT(sums->kills, 0u);
  EXPECT_GT(sums->cut_recoveries, 0u);
  EXPECT_GT(sums->recoveries_cut_again, 0u);
  EXPECT_GT(sums->faults, 0u);
}

TEST(DbSimulationTest, NothingIsLostOnAnHonestDisk) { RunSeeds({}); }

TEST(DbSimulationTest, NothingIsLostBesideWorkInTheBackground) {
  RunSeeds({.background_work = true});
}

// Of the tests that run their seeds one after another.
constexpr uint64_t kFewSeeds = kTestAmountDivisor > 1 ? 3 : 10;

TEST(DbSimulationTest, ASeedRepeatsAllOfIt) {
  if (!ThreadScheduler::IsAvailable()) GTEST_SKIP() << "threads run as they like";
  for (const bool background_work : {false, true}) {
    Simulate(1, {.background_work = background_work});  // does what a process does only once
    for (uint64_t seed = 1; seed <= kFewSeeds; ++seed) {
      const SimulationOptions options = {.background_work = background_work};
      const SimulationResult once = Simulate(seed, options);
      const SimulationResult again = Simulate(seed, options);
      EXPECT_EQ(once.story, again.story) << "seed " << seed;
      EXPECT_EQ(once.disk_operations, again.disk_operations) << "seed " << seed;
      EXPECT_EQ(once.threads.order, again.threads.order) << "seed " << seed;
      EXPECT_GT(once.threads.switches, once.threads.threads) << "seed " << seed;
    }
  }
}

TEST(DbSimulationTest, SeedsDiffer) { EXPECT_NE(Simulate(3).story, Simulate(4).story); }

// ---- The proof that the checks check.

// How many of the first seeds it takes until a lie is noticed; 0: it is not.
uint64_t SeedsToNotice(const Lie& lie) {
  constexpr uint64_t kSeeds = 200;
  SimulationOptions options;
  options.wrap_env = [&lie](Env* base) { return NewLyingEnv(base, lie); };
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SimulationResult result = Simulate(seed, options);
    if (result.failure.empty()) continue;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.failure.c_str());
    return seed;
  }
  return 0;
}

TEST(DbSimulationTest, EnvThatNeverLiesIsNotAccused) {
  SimulationOptions options;
  options.wrap_env = [](Env* base) {
    return NewLyingEnv(base, [](FileOp, std::string_view) { return false; });
  };
  for (uint64_t seed = 1; seed <= kFewSeeds; ++seed) EXPECT_EQ(Simulate(seed, options).failure, "");
}

bool IsLog(std::string_view path) { return path.find(".wal") != std::string_view::npos; }

TEST(DbSimulationTest, LogThatIsNeverSyncedIsNoticed) {
  EXPECT_GT(SeedsToNotice([](FileOp op, std::string_view path) {
              return IsLog(path) && op == FileOp::kSyncData;
            }),
            0u);
}

TEST(DbSimulationTest, StoreThatIsNeverSyncedIsNoticed) {
  EXPECT_GT(SeedsToNotice([](FileOp op, std::string_view path) {
              return !IsLog(path) && op == FileOp::kSyncData;
            }),
            0u);
}

TEST(DbSimulationTest, DirectoryThatIsNeverSyncedIsNoticed) {
  EXPECT_GT(SeedsToNotice([](FileOp op, std::string_view) { return op == FileOp::kSyncDirectory; }),
            0u);
}

// Each tenth write is dropped: the disk says it is done.
TEST(DbSimulationTest, DroppedWritesToTheLogAreNoticed) {
  std::atomic<uint64_t> writes = 0;
  EXPECT_GT(SeedsToNotice([&writes](FileOp op, std::string_view path) {
              return IsLog(path) && op == FileOp::kWrite && ++writes % 10 == 0;
            }),
            0u);
}

TEST(DbSimulationTest, DroppedWritesToTheStoreAreNoticed) {
  std::atomic<uint64_t> writes = 0;
  EXPECT_GT(SeedsToNotice([&writes](FileOp op, std::string_view path) {
              return !IsLog(path) && op == FileOp::kWrite && ++writes % 10 == 0;
            }),
            0u);
}

}  // namespace
}  // namespace emdb
