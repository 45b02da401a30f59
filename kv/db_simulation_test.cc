// Runs simulations (kv/simulation.h), and shows that they notice a disk that lies.
//
// EMDB_SEED is the first seed, EMDB_RUNS how many. A failing seed is repeated by
//   bazel test //kv:db_simulation_test --test_env=EMDB_SEED=<seed> --test_env=EMDB_RUNS=1
// EMDB_REPEATS is how often each seed runs, for failures that depend on a thread, and EMDB_STORY=1
// prints what it does while it does it.

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

  void Add(const SimulationResult& result) {
    operations += result.operations;
    disk_operations += result.disk_operations;
    faults += result.faults;
    kills += result.kills;
    power_cuts += result.power_cuts;
    cut_recoveries += result.cut_recoveries;
    recoveries_cut_again += result.recoveries_cut_again;
  }

  void Print() const {
    const auto number = [](const std::atomic<uint64_t>& n) {
      return static_cast<unsigned long long>(n.load());
    };
    std::printf(
        "operations %llu, of the disk %llu, failed %llu, kills %llu, power cuts %llu, in "
        "recoveries %llu, in those of recoveries %llu\n",
        number(operations), number(disk_operations), number(faults), number(kills),
        number(power_cuts), number(cut_recoveries), number(recoveries_cut_again));
  }
};

void RunSeeds(SimulationOptions options) {
  const uint64_t first = TestSetting("EMDB_SEED", 1);
  const uint64_t runs = TestAmount("EMDB_RUNS", 200);
  const uint64_t repeats = TestSetting("EMDB_REPEATS", 1);
  options.prints_story = TestSetting("EMDB_STORY", 0) != 0;
  SharedMemory<Sums> sums;
  const ForkedRun run = RunForked(runs * repeats, [&](uint64_t i) {
    const uint64_t seed = first + i / repeats;
    const SimulationResult result = Simulate(seed, options);
    sums->Add(result);
    if (result.failure.empty()) return std::string();
    return result.failure + "\nEMDB_SEED=" + std::to_string(seed) + " EMDB_RUNS=1\n" +
           LastLines(result);
  });
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

// The lines before the first error: what happens behind that may depend on threads.
std::vector<std::string> Undisturbed(const SimulationResult& result) {
  const auto is_error = [](const std::string& line) {
    return line.find(": ") != std::string::npos && !line.ends_with(": OK") &&
           line.find("fault") == std::string::npos;
  };
  return {result.story.begin(), std::find_if(result.story.begin(), result.story.end(), is_error)};
}

// In a few of a hundred seeds the first error comes earlier or later the second time: the thread
// that prepares log segments takes part in the numbers of the disk's operations.
TEST(DbSimulationTest, SeedRepeatsItsDecisions) {
  constexpr uint64_t kSeeds = 4 * kFewSeeds;
  size_t lines = 0;
  uint64_t as_long = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::vector<std::string> once = Undisturbed(Simulate(seed));
    const std::vector<std::string> again = Undisturbed(Simulate(seed));
    const size_t common = std::min(once.size(), again.size());
    EXPECT_TRUE(
        std::equal(once.begin(), once.begin() + static_cast<ptrdiff_t>(common), again.begin()))
        << "seed " << seed;
    lines += common;
    if (once.size() == again.size()) ++as_long;
  }
  EXPECT_GT(lines, 10 * kSeeds);
  EXPECT_GE(as_long, kSeeds * 3 / 4);
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
