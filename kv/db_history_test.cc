// Threads use a Db at once, everything they did and saw is recorded, and every history must have an
// order that explains it (kv/history.h).
//
// EMDB_SEED, EMDB_ROUNDS and EMDB_POWER_CUTS set the amount; threads make each run another one. But
// of the EMDB_HISTORIES: there the seed decides which thread goes on (storage/thread_scheduler.h),
// and EMDB_SEED=<seed> EMDB_HISTORIES=1 repeats one.

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/forked_run.h"
#include "kv/history.h"
#include "kv/history_clients.h"
#include "kv/shared_memory.h"
#include "kv/test_setting.h"
#include "storage/temp_directory.h"
#include "storage/thread_scheduler.h"

namespace emdb {
namespace {

class DbHistoryTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_LE(checker_.undecided() * 50, checker_.checked())
        << "the checker gave up on more than 2% of the histories";
  }

  const uint64_t seed_ = TestSetting("EMDB_SEED", 1);
  HistoryChecker checker_;
};

TEST_F(DbHistoryTest, EveryHistoryIsLinearizable) {
  const uint64_t rounds = TestSetting("EMDB_ROUNDS", 300);
  const TempDirectory directory;
  const std::string path = directory.Path("store.emdb");
  auto db = Db::Open(HistoryOptions(), path);
  ASSERT_TRUE(db.ok()) << db.status();
  uint64_t numbers = 1;
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    if (round % 50 == 49) {
      ASSERT_EQ((*db)->Close(), absl::OkStatus());
      db->reset();
      db = Db::Open(HistoryOptions(), path);
      ASSERT_TRUE(db.ok()) << db.status();
    }
    Recording recording = RunClients(db->get(), nullptr, seed_ * rounds + round, &numbers);
    EXPECT_EQ(recording.read_error, absl::OkStatus());
    EXPECT_EQ(recording.contradiction, "");
    absl::StatusOr<Operation> last = ReadAll(**db, Operation::Kind::kRead);
    ASSERT_TRUE(last.ok()) << last.status();
    last->begin = HistoryTime();  // behind everything, so the round leaves one state and no other
    recording.history.push_back(*last);
    checker_.Check(recording.history, *last);
    EXPECT_EQ(checker_.violation(), "");
  }
  EXPECT_EQ((*db)->Verify(), absl::OkStatus());
  EXPECT_EQ((*db)->Close(), absl::OkStatus());
}

TEST_F(DbHistoryTest, PowerCutLeavesAStateOfTheHistory) {
  const uint64_t power_cuts = TestSetting("EMDB_POWER_CUTS", 100);
  EXPECT_EQ(RunPowerCuts(seed_, power_cuts, &checker_), "");
}

TEST_F(DbHistoryTest, PowerCutsLeaveStatesOfTheHistoryInWhicheverOrderThreadsGoOn) {
  if (!ThreadScheduler::IsAvailable()) GTEST_SKIP() << "threads run as they like";
  constexpr uint64_t kPowerCuts = 3;
  const uint64_t histories = TestSetting("EMDB_HISTORIES", 400);
  struct Sums {
    std::atomic<uint64_t> decisions{0};
    std::atomic<uint64_t> switches{0};
    std::atomic<uint64_t> undecided{0};
  };
  SharedMemory<Sums> sums;
  const auto run_history = [&](uint64_t seed) {
    const ThreadScheduler scheduler(seed);
    HistoryChecker checker;
    const std::string wrong = RunPowerCuts(seed, kPowerCuts, &checker);
    sums->decisions += scheduler.counts().decisions;
    sums->switches += scheduler.counts().switches;
    sums->undecided += checker.undecided();
    return wrong.empty() ? "" : wrong + ", EMDB_SEED=" + std::to_string(seed);
  };
  // What a process does only once is behind it before children begin to differ.
  EXPECT_EQ(run_history(seed_), "");
  const ForkedRun run = RunForked(histories, [&](uint64_t i) { return run_history(seed_ + i); },
                                  {.one_processor_each = true});
  for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
  std::printf("decisions about threads %llu, turns %llu\n",
              static_cast<unsigned long long>(sums->decisions.load()),
              static_cast<unsigned long long>(sums->switches.load()));
  EXPECT_GT(sums->switches, 10 * histories);
  EXPECT_LE(sums->undecided * 50, histories * kPowerCuts);
}

}  // namespace
}  // namespace emdb
