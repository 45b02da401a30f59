#include "tools/bench/runner.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/status.h"
#include "tools/bench/map_engine.h"
#include "tools/bench/memory_limit.h"
#include "tools/bench/results.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// Long enough for each defect to strike, sanitizers and other load included.
constexpr Sizing kTiny{.scale = 0.002, .phase_seconds = 0.1};
// Of this one the phase is 300 times as long.
constexpr Sizing kTinySteady{.scale = 0.002, .phase_seconds = 0.003};

RunnerObserver Silent() {
  return {
      .on_progress = [](const RunnerObserver::Job&, const std::string&, double) {},
      .on_finished = [](const RunnerObserver::Job&, const Results&) { return absl::OkStatus(); }};
}

Results RunOne(const EngineInfo& engine, const Workload& workload) {
  Plan plan;
  plan.engines = {engine};
  plan.workloads = {{workload, 1}};
  plan.directory = ::testing::TempDir();
  const RunnerObserver observer = Silent();
  Results results;
  const absl::Status status = Runner(&plan, &observer, &results).Run();
  EXPECT_TRUE(status.ok()) << status;
  return results;
}

Workload FindWorkload(const std::string& name) {
  for (const Workload& workload : AllWorkloads(name.starts_with("steady") ? kTinySteady : kTiny)) {
    if (workload.name == name) return workload;
  }
  ADD_FAILURE() << "no workload " << name;
  return {};
}

// A workload of one stage.
Workload Single(std::function<absl::Status(StageContext*)> run) {
  return {.name = "single", .summary = "", .stages = {{.name = "only", .run = std::move(run)}}};
}

struct DefectCase {
  Defect defect;
  std::string workload;
  std::string expected;  // a regular expression of what the report says
};

void PrintTo(const DefectCase& defect_case, std::ostream* out) {
  *out << "defect " << static_cast<int>(defect_case.defect) << " in " << defect_case.workload;
}

class DefectTest : public ::testing::TestWithParam<DefectCase> {};

TEST_P(DefectTest, IsCaught) {
  const Results results =
      RunOne(MapEngineInfo(GetParam().defect), FindWorkload(GetParam().workload));
  ASSERT_THAT(results.failures, SizeIs(1));
  EXPECT_FALSE(results.failures[0].is_skip);
  EXPECT_THAT(results.failures[0].message, ContainsRegex(GetParam().expected));
  EXPECT_THAT(results.measurements, IsEmpty()) << "who fails gets no figures";
}

INSTANTIATE_TEST_SUITE_P(
    All, DefectTest,
    ::testing::Values(DefectCase{Defect::kDropsPut, "commit", "expected"},
                      DefectCase{Defect::kDropsPut, "redb", "not found|counted"},
                      DefectCase{Defect::kDropsPut, "queue", "the head of the queue"},
                      DefectCase{Defect::kDropsOverwrite, "db_bench-100", "value differs"},
                      DefectCase{Defect::kDropsOverwrite, "ycsb", "value differs"},
                      DefectCase{Defect::kDropsOverwrite, "steady", "value differs"},
                      DefectCase{Defect::kDropsOverwrite, "steady-writes", "value differs"},
                      DefectCase{Defect::kDropsDelete, "queue", "must not be there"},
                      DefectCase{Defect::kDropsDelete, "redb", "must not be there"},
                      DefectCase{Defect::kFlipsBit, "redb", "value differs"},
                      DefectCase{Defect::kFlipsBit, "db_bench-1000", "value differs"},
                      DefectCase{Defect::kSkipsRow, "redb", "seek to record|records are there"},
                      DefectCase{Defect::kSkipsRow, "db_bench-100", "expected"},
                      DefectCase{Defect::kSkipsRow, "ycsb", "seek to record"},
                      DefectCase{Defect::kRepeatsRow, "db_bench-100", "out of order"},
                      DefectCase{Defect::kRepeatsRow, "redb", "seek to record|out of order"},
                      DefectCase{Defect::kEndsEarly, "db_bench-100", "expected"},
                      DefectCase{Defect::kEndsEarly, "redb", "ended after|records are there"},
                      DefectCase{Defect::kMixesUpValues, "ycsb", "value differs"},
                      DefectCase{Defect::kMiscounts, "redb", "counted"},
                      DefectCase{Defect::kTearsBatch, "redb", "not found|counted"},
                      DefectCase{Defect::kFails, "commit", "put failed"},
                      DefectCase{Defect::kCrashes, "commit", "ended by signal 6"}));

class HonestEngineTest : public ::testing::TestWithParam<std::string> {};

TEST_P(HonestEngineTest, PassesWithFiguresForEachPhase) {
  const Results results = RunOne(MapEngineInfo(Defect::kNone), FindWorkload(GetParam()));
  EXPECT_THAT(results.failures, IsEmpty());
  EXPECT_TRUE(results.is_complete);
  EXPECT_THAT(results.measurements, Not(IsEmpty()));
  EXPECT_THAT(results.measurements, Each(AllOf(Field(&Measurement::workload, GetParam()),
                                               Field(&Measurement::engine, "map"),
                                               Field(&Measurement::phase, Not(IsEmpty())))));
}

INSTANTIATE_TEST_SUITE_P(All, HonestEngineTest,
                         ::testing::Values("commit", "redb", "db_bench-100", "ycsb", "queue",
                                           "steady"));

TEST(RunnerTest, AnEngineThatForgetsItsDataOverAReopenIsCaught) {
  // The map is gone with its process.
  const Results results = RunOne(MapEngineInfo(Defect::kNone), FindWorkload("first-table"));
  ASSERT_THAT(results.failures, SizeIs(1));
  EXPECT_THAT(results.failures[0].message, AllOf(HasSubstr("reopen"), HasSubstr("not found")));
}

TEST(RunnerTest, AnEngineThatFailsLosesItsFiguresOfAllRepetitionsAndOnlyOfThatWorkload) {
  Plan plan;
  plan.directory = ::testing::TempDir();
  for (const char* name : {"good", "bad"}) {
    plan.engines.push_back(MapEngineInfo(Defect::kNone));
    plan.engines.back().name = name;
  }
  const auto measure = [](StageContext* context) {
    return context->EmitValue("phase", Unit::kSeconds, 1);
  };
  // The jobs are children of this process: what changes from one to the next is a file.
  const std::string mark = absl::StrCat(plan.directory, "/the-bad-one-has-run");
  remove(mark.c_str());
  const auto measure_once = [&mark, &measure](StageContext* context) -> absl::Status {
    EMDB_RETURN_IF_ERROR(measure(context));
    if (context->engine().name != "bad") return absl::OkStatus();
    if (access(mark.c_str(), F_OK) == 0) return absl::DataLossError("value differs");
    return WriteFile(mark, "");
  };
  plan.workloads = {{Single(measure_once), 3}, {Single(measure), 1}};
  plan.workloads[1].workload.name = "other";
  const RunnerObserver observer = Silent();
  Results results;
  ASSERT_TRUE(Runner(&plan, &observer, &results).Run().ok());
  std::vector<std::string> kept;
  for (const Measurement& measurement : results.measurements) {
    kept.push_back(absl::StrCat(measurement.workload, " of ", measurement.engine));
  }
  EXPECT_THAT(kept, UnorderedElementsAre("single of good", "single of good", "single of good",
                                         "other of good", "other of bad"));
  EXPECT_THAT(results.failures, SizeIs(1)) << "the third repetition of it is not run";
}

TEST(RunnerTest, AStageThatMustEndByKillFailsIfItReturns) {
  Workload workload = Single([](StageContext*) { return absl::OkStatus(); });
  workload.stages[0].ends_by_kill = true;
  EXPECT_THAT(RunOne(MapEngineInfo(Defect::kNone), workload).failures, SizeIs(1));

  workload.stages[0].run = [](StageContext* context) -> absl::Status { context->KillProcess(); };
  EXPECT_THAT(RunOne(MapEngineInfo(Defect::kNone), workload).failures, IsEmpty());
}

TEST(RunnerTest, AStageThatHangsIsKilledAndReported) {
  Plan plan;
  plan.engines = {MapEngineInfo(Defect::kNone)};
  plan.workloads = {{Single([](StageContext*) -> absl::Status {
                       while (true) pause();
                     }),
                     1}};
  plan.directory = ::testing::TempDir();
  plan.stage_timeout_seconds = 0.1;
  const RunnerObserver observer = Silent();
  Results results;
  ASSERT_TRUE(Runner(&plan, &observer, &results).Run().ok());
  ASSERT_THAT(results.failures, SizeIs(1));
  EXPECT_THAT(results.failures[0].message, HasSubstr("took too long"));
}

TEST(RunnerTest, AnEngineThatNeedsMoreThanItsMemoryIsNotMeasuredAndTheReasonSaid) {
  constexpr uint64_t kLimitBytes = uint64_t{32} << 20;
  // Gone before the runner makes its own, which has this process's number in its name, too.
  const absl::Status status = MemoryLimit::Create(kLimitBytes).status();
  if (!status.ok()) GTEST_SKIP() << status;
  Workload workload = Single([](StageContext* context) {
    std::vector<char> memory(4 * kLimitBytes);
    memset(memory.data(), 1, memory.size());
    return context->EmitValue("phase", Unit::kBytes, memory[kLimitBytes]);
  });
  workload.memory_limit_bytes = kLimitBytes;
  const Results results = RunOne(MapEngineInfo(Defect::kNone), workload);
  EXPECT_THAT(results.measurements, IsEmpty());
  ASSERT_THAT(results.failures, SizeIs(1));
  EXPECT_TRUE(results.failures[0].is_skip);
  EXPECT_THAT(results.failures[0].message, HasSubstr("more than the 32 MiB"));
}

TEST(RunnerTest, StoppingKeepsWhatWasMeasured) {
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  ASSERT_GE(stop_fd, 0);
  Plan plan;
  plan.engines = {MapEngineInfo(Defect::kNone)};
  plan.workloads = {
      {Single([](StageContext* context) { return context->EmitValue("phase", Unit::kSeconds, 1); }),
       1},
      {Single([stop_fd](StageContext*) -> absl::Status {
         if (eventfd_write(stop_fd, 1) != 0) return absl::InternalError("eventfd");
         while (true) pause();
       }),
       1}};
  plan.directory = ::testing::TempDir();
  plan.stop_fd = stop_fd;
  const RunnerObserver observer = Silent();
  Results results;
  ASSERT_TRUE(Runner(&plan, &observer, &results).Run().ok());
  close(stop_fd);
  EXPECT_FALSE(results.is_complete);
  EXPECT_THAT(results.measurements, SizeIs(1));
  EXPECT_THAT(results.failures, IsEmpty());
}

TEST(RunnerTest, TheOrderOfEnginesMovesOnWithEachRepetition) {
  Plan plan;
  for (const char* name : {"a", "b", "c"}) {
    plan.engines.push_back(MapEngineInfo(Defect::kNone));
    plan.engines.back().name = name;
  }
  plan.workloads = {
      {Single([](StageContext* context) { return context->EmitValue("phase", Unit::kSeconds, 1); }),
       2}};
  plan.directory = ::testing::TempDir();
  const RunnerObserver observer = Silent();
  Results results;
  ASSERT_TRUE(Runner(&plan, &observer, &results).Run().ok());
  std::vector<std::string> order;
  for (const Measurement& measurement : results.measurements) order.push_back(measurement.engine);
  EXPECT_THAT(order, ElementsAre("a", "b", "c", "b", "c", "a"));
}

TEST(RunnerTest, PastItsBudgetOnlyFirstRepetitionsAreRun) {
  Plan plan;
  plan.engines = {MapEngineInfo(Defect::kNone)};
  plan.workloads = {
      {Single([](StageContext* context) { return context->EmitValue("phase", Unit::kSeconds, 1); }),
       5}};
  plan.directory = ::testing::TempDir();
  plan.budget_seconds = 1e-9;
  const RunnerObserver observer = Silent();
  Results results;
  ASSERT_TRUE(Runner(&plan, &observer, &results).Run().ok());
  EXPECT_THAT(results.measurements, SizeIs(1));
  EXPECT_TRUE(results.is_complete);
}

}  // namespace
}  // namespace emdb::bench
