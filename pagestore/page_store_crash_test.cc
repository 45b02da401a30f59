// Power cuts before every operation of a few checkpoints, and a failure of every operation, once
// and from then on: what a reopened store holds is exactly one generation, the last that was
// acknowledged or the one that was being written.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/crash.emdb";
constexpr uint64_t kSeed = 20240601;

// Steps, and the state after each: state(i) after i of them.
class Workload {
 public:
  virtual ~Workload() = default;

  size_t steps() const { return steps_.size(); }
  const Model& state(size_t steps_done) const { return states_[steps_done]; }
  virtual absl::Status Step(PageStore* store, size_t step) const = 0;

 protected:
  void AddStep(Changes changes) {
    states_.push_back(states_.back());
    ApplyToModel(changes, &states_.back());
    steps_.push_back(std::move(changes));
  }
  absl::Status Checkpoint(PageStore* store, size_t step) const {
    return Apply(store, step + 1, steps_[step]);
  }

 private:
  std::vector<Changes> steps_;
  std::vector<Model> states_ = {{}};
};

// Checkpoints, each with a Tidy behind it, and one of them a Compact.
class MergingWorkload : public Workload {
 public:
  MergingWorkload() {
    RandomRecords random(kSeed);
    for (int step = 0; step < 5; ++step) AddStep(step == 3 ? Changes() : random.Batch(120, 300));
  }

  absl::Status Step(PageStore* store, size_t step) const override {
    if (step == 3) return store->Compact();
    const absl::Status status = Checkpoint(store, step);
    return status.ok() ? store->Tidy().status() : status;
  }
};

// A tree of some twenty leaves, checkpoints that leave their changes in slices, one that folds
// them, and some more.
class SlicesWorkload : public Workload {
 public:
  SlicesWorkload() {
    Changes load;
    for (int i = 0; i < kRecords; ++i) load[Key(i)] = std::string(100, 'a');
    AddStep(std::move(load));
    for (int step = 1; step < kSteps; ++step) {
      AddStep(step == kTidyStep ? Changes() : Scattered(step));
    }
  }

  absl::Status Step(PageStore* store, size_t step) const override {
    absl::Status status = step == kTidyStep ? store->Tidy().status() : Checkpoint(store, step);
    if (!status.ok()) return status;
    EXPECT_EQ(store->stats().slice_records > 0, step % kTidyStep != 0) << step;
    return status;
  }

 private:
  static constexpr int kRecords = 1500;
  static constexpr int kTidyStep = 4;
  static constexpr int kSteps = 7;

  static std::string Key(int i) { return "key" + std::to_string(10000 + i); }
  static Changes Scattered(int step) {
    Changes changes;
    for (int i = step * 3; i + 1 < kRecords; i += 37) {
      changes[Key(i)] = std::string(static_cast<size_t>(30 * step), 'b');
      changes[Key(i + 1)] = std::nullopt;
    }
    changes[Key(700 + step)] = std::string(9000, 'L');
    return changes;
  }
};

struct Outcome {
  bool created = false;
  size_t steps_done = 0;
};

Outcome RunUntilError(const Workload& workload, Env* env) {
  Outcome outcome;
  auto store = PageStore::Open(kPath, SmallStoreOptions(env));
  if (!store.ok()) return outcome;
  outcome.created = true;
  while (outcome.steps_done < workload.steps() &&
         workload.Step(store->get(), outcome.steps_done).ok()) {
    ++outcome.steps_done;
  }
  return outcome;
}

// The store in `env` holds the state after `outcome.steps_done` steps, or after one more.
void ExpectOneGeneration(const Workload& workload, const Outcome& outcome, Env* env) {
  auto store = PageStore::Open(kPath, SmallStoreOptions(env));
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::StatusOr<Model> found = ReadForward((*store)->GetView());
  ASSERT_TRUE(found.ok()) << found.status();
  size_t steps = outcome.steps_done;
  if (*found != workload.state(steps)) ++steps;
  ASSERT_LE(steps, workload.steps());
  ASSERT_TRUE(*found == workload.state(steps));
  absl::Status status = (*store)->Verify();
  ASSERT_TRUE(status.ok()) << status;
  // And it can go on from there.
  status = Apply(store->get(), 100, {{"after", "the crash"}});
  ASSERT_TRUE(status.ok()) << status;
  status = (*store)->Verify();
  ASSERT_TRUE(status.ok()) << status;
  std::string value;
  ASSERT_TRUE((*store)->GetView().Get("after", &value).ok());
  ASSERT_EQ(value, "the crash");
}

std::vector<DiskImage> CrashImages(const FaultEnv& env, uint64_t cut) {
  std::vector<DiskImage> images = {env.SyncedImage(), env.FullImage()};
  for (uint64_t i = 0; i < 4; ++i) {
    RandomChooser chooser(kSeed + cut * 4 + i);
    images.push_back(env.CrashImage(&chooser));
  }
  return images;
}

void ExpectOneGenerationAfterEachPowerCut(const Workload& workload) {
  std::cout << "seed " << kSeed << "\n";
  FaultEnv whole;
  ASSERT_EQ(RunUntilError(workload, &whole).steps_done, workload.steps());
  for (uint64_t cut = 0; cut <= whole.OperationCount(); ++cut) {
    SCOPED_TRACE(testing::Message() << "power cut before operation " << cut);
    FaultEnv env;
    env.CutPowerAt(cut);
    const Outcome outcome = RunUntilError(workload, &env);
    for (const DiskImage& image : CrashImages(env, cut)) {
      FaultEnv after(image);
      ASSERT_NO_FATAL_FAILURE(ExpectOneGeneration(workload, outcome, &after));
    }
  }
}

TEST(PageStoreCrashTest, PowerCutBeforeEachOperationLeavesOneWholeGeneration) {
  ExpectOneGenerationAfterEachPowerCut(MergingWorkload());
}

TEST(PageStoreCrashTest, PowerCutBeforeEachOperationLeavesOneWholeGenerationWithSlices) {
  ExpectOneGenerationAfterEachPowerCut(SlicesWorkload());
}

TEST(PageStoreCrashTest, PowerCutWhileOpeningAfterAPowerCutLosesNothing) {
  const MergingWorkload workload;
  FaultEnv whole;
  RunUntilError(workload, &whole);
  uint64_t most_operations = 0;  // of an open
  uint64_t states = 0;
  for (uint64_t cut = 0; cut <= whole.OperationCount(); ++cut) {
    FaultEnv env;
    env.CutPowerAt(cut);
    const Outcome outcome = RunUntilError(workload, &env);
    RandomChooser first(kSeed + cut);
    const DiskImage image = env.CrashImage(&first);
    bool goes_on = true;
    for (uint64_t second_cut = 0; goes_on; ++second_cut) {
      SCOPED_TRACE(testing::Message() << "cuts before " << cut << " and " << second_cut);
      FaultEnv reopened(image);
      reopened.CutPowerAt(second_cut);
      const auto store = PageStore::Open(kPath, SmallStoreOptions(&reopened));
      if (store.ok()) (*store)->EnsureDurable().IgnoreError();
      goes_on = reopened.PowerIsCut();
      if (goes_on) most_operations = std::max(most_operations, second_cut + 1);
      RandomChooser second(kSeed + second_cut);
      FaultEnv after(reopened.CrashImage(&second));
      ASSERT_NO_FATAL_FAILURE(ExpectOneGeneration(workload, outcome, &after));
      ++states;
    }
  }
  std::cout << states << " states, up to " << most_operations << " operations of an open\n";
  EXPECT_GE(most_operations, 2u);
}

bool ChangesTheDisk(FileOp op) {
  return op == FileOp::kWrite || op == FileOp::kSyncData || op == FileOp::kTruncate ||
         op == FileOp::kSyncDirectory || op == FileOp::kCreate;
}

// The process is killed before each operation, and what it had not synced is still only in the page
// cache when the next one goes on. Then the power is cut.
TEST(PageStoreCrashTest, WhatAKilledProcessLeftIsMadeDurableBeforeItIsBuiltUpon) {
  const MergingWorkload workload;
  FaultEnv whole;
  RunUntilError(workload, &whole);
  for (uint64_t killed = 0; killed <= whole.OperationCount(); ++killed) {
    bool goes_on = true;
    for (uint64_t cut = 0; goes_on; ++cut) {
      SCOPED_TRACE(testing::Message() << "killed before " << killed << ", cut after " << cut);
      FaultEnv env;
      FaultRule rule;
      rule.matches = [](FileOp op, std::string_view) { return ChangesTheDisk(op); };
      rule.skip = killed;
      env.AddRule(rule);
      const Outcome outcome = RunUntilError(workload, &env);
      env.ClearRules();
      std::optional<Model> found;
      {
        auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
        ASSERT_TRUE(store.ok()) << store.status();
        found = *ReadForward((*store)->GetView());
        env.CutPowerAt(env.OperationCount() + cut);
        goes_on = !Apply(store->get(), 100, {{"after", "the kill"}}).ok();
      }
      for (uint64_t i = 0; i < 3; ++i) {
        RandomChooser chooser(kSeed + (killed * 100 + cut) * 3 + i);
        FaultEnv after(env.CrashImage(&chooser));
        auto store = PageStore::Open(kPath, SmallStoreOptions(&after));
        ASSERT_TRUE(store.ok()) << store.status();
        Model now = *ReadForward((*store)->GetView());
        const bool has_next = now.erase("after") == 1;
        ASSERT_TRUE(has_next || goes_on) << "an acknowledged checkpoint is lost";
        // What was found, or, as long as nothing was built upon it, the state before.
        const bool is_before = outcome.created && now == workload.state(outcome.steps_done);
        ASSERT_TRUE(now == *found || (!has_next && is_before));
        ASSERT_EQ((*store)->Verify(), absl::OkStatus());
      }
    }
  }
}

// Lets one of the operations that `matches` knows after another fail, once and with all that
// follow, in the way of `rule`, and looks at what is left after a power cut, and on the same disk.
void ExpectFailuresToLeaveOneGeneration(const Workload& workload, FaultRule rule,
                                        bool (*matches)(FileOp op) = ChangesTheDisk) {
  rule.matches = [matches](FileOp op, std::string_view) { return matches(op); };
  for (const uint64_t count : {uint64_t{1}, UINT64_MAX}) {
    std::atomic<bool> has_failed = true;
    for (uint64_t skip = 0; has_failed; ++skip) {
      SCOPED_TRACE(testing::Message() << "operation " << skip << " fails "
                                      << (count == 1 ? "once" : "with all that follow"));
      FaultEnv env;
      has_failed = false;
      env.SetObserver([&has_failed](const FaultEnv::TraceEntry& entry) {
        if (!entry.ok) has_failed = true;
      });
      rule.skip = skip;
      rule.count = count;
      env.AddRule(rule);
      const Outcome outcome = RunUntilError(workload, &env);
      env.SetObserver(nullptr);
      env.ClearRules();
      FaultEnv after_power_cut(env.SyncedImage());
      ASSERT_NO_FATAL_FAILURE(ExpectOneGeneration(workload, outcome, &after_power_cut));
      ASSERT_NO_FATAL_FAILURE(ExpectOneGeneration(workload, outcome, &env));
    }
  }
}

TEST(PageStoreFailureTest, EachIoErrorLeavesTheLastGeneration) {
  FaultRule rule;
  rule.error_number = EIO;
  ExpectFailuresToLeaveOneGeneration(MergingWorkload(), rule);
  ExpectFailuresToLeaveOneGeneration(SlicesWorkload(), rule);
}

TEST(PageStoreFailureTest, EachFailedOpenReadReservationOrLockLeavesTheLastGeneration) {
  const auto matches = [](FileOp op) { return !ChangesTheDisk(op); };
  ExpectFailuresToLeaveOneGeneration(MergingWorkload(), {}, matches);
  ExpectFailuresToLeaveOneGeneration(SlicesWorkload(), {}, matches);
}

TEST(PageStoreFailureTest, EachShortWriteLeavesTheLastGeneration) {
  FaultRule rule;
  rule.error_number = ENOSPC;
  rule.short_write = true;
  ExpectFailuresToLeaveOneGeneration(MergingWorkload(), rule);
  ExpectFailuresToLeaveOneGeneration(SlicesWorkload(), rule);
}

TEST(PageStoreFailureTest, EachFailedSyncThatDropsWritesLeavesTheLastGeneration) {
  FaultRule rule;
  rule.error_number = EIO;
  rule.drop_unsynced = true;
  ExpectFailuresToLeaveOneGeneration(MergingWorkload(), rule);
  ExpectFailuresToLeaveOneGeneration(SlicesWorkload(), rule);
}

TEST(PageStoreFailureTest, EachFailedSyncBehindWhichPagesReadOldLeavesTheLastGeneration) {
  FaultRule rule;
  rule.reads_old = true;
  ExpectFailuresToLeaveOneGeneration(MergingWorkload(), rule);
  ExpectFailuresToLeaveOneGeneration(SlicesWorkload(), rule);
}

TEST(PageStoreFailureTest, FullDiskLeavesTheStoreUsable) {
  FaultEnv env;
  auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(Apply(store->get(), 1, {{"small", "value"}}).ok());
  env.SetCapacity(env.FullImage().files.at(kPath).size() + 65536);
  const absl::Status full = Apply(store->get(), 2, {{"large", std::string(1 << 20, 'x')}});
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  std::string value;
  EXPECT_TRUE(absl::IsNotFound((*store)->GetView().Get("large", &value)));
  absl::Status status = Apply(store->get(), 2, {{"small", "other"}});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE((*store)->GetView().Get("small", &value).ok());
  EXPECT_EQ(value, "other");
  status = (*store)->Verify();
  EXPECT_TRUE(status.ok()) << status;
}

TEST(PageStoreFailureTest, AFailedSyncPoisonsTheStoreUntilItIsOpenedAgain) {
  FaultEnv env;
  auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(Apply(store->get(), 1, {{"a", "1"}}).ok());
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncData; };
  rule.count = 1;
  rule.drop_unsynced = true;
  env.AddRule(rule);
  EXPECT_FALSE(Apply(store->get(), 2, {{"a", "2"}}).ok());
  const absl::Status refused = Apply(store->get(), 2, {{"a", "2"}});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  std::string value;
  EXPECT_TRUE((*store)->GetView().Get("a", &value).ok());
  EXPECT_EQ(value, "1");
  store->reset();
  store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->GetView().Get("a", &value).ok());
  EXPECT_EQ(value, "1");
  EXPECT_TRUE(Apply(store->get(), 2, {{"a", "2"}}).ok());
  EXPECT_TRUE((*store)->Verify().ok());
}

}  // namespace
}  // namespace emdb
