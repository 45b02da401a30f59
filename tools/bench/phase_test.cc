#include "tools/bench/phase.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

absl::Status CountAll(Worker* worker, std::atomic<uint64_t>* count) {
  while (worker->Next()) ++*count;
  return absl::OkStatus();
}

TEST(PhaseTest, RunsExactlyTheOperationsAskedFor) {
  Progress progress;
  for (const int threads : {1, 3}) {
    for (const uint32_t interval : {1, 7, 16}) {
      for (const uint64_t operations : {1, 2, 15, 16, 17, 100}) {
        std::atomic<uint64_t> count = 0;
        const absl::StatusOr<Measurement> result =
            RunPhase({.name = "p",
                      .threads = threads,
                      .max_operations = operations,
                      .latency_interval = interval},
                     &progress, [&count](Worker* worker) { return CountAll(worker, &count); });
        ASSERT_TRUE(result.ok());
        EXPECT_EQ(count, operations) << threads << " " << interval;
        EXPECT_EQ(result->operations, operations);
        EXPECT_GT(result->value, 0);
      }
    }
  }
}

TEST(PhaseTest, EachIntervalThOperationIsTimed) {
  Progress progress;
  std::atomic<uint64_t> count = 0;
  const absl::StatusOr<Measurement> result =
      RunPhase({.name = "p", .max_operations = 160, .latency_interval = 16}, &progress,
               [&count](Worker* worker) { return CountAll(worker, &count); });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->latency.count, 10);
}

TEST(PhaseTest, EndsWhenItsTimeIsOver) {
  Progress progress;
  std::atomic<uint64_t> count = 0;
  const absl::StatusOr<Measurement> result =
      RunPhase({.name = "p", .threads = 2, .max_seconds = 0.02}, &progress,
               [&count](Worker* worker) { return CountAll(worker, &count); });
  ASSERT_TRUE(result.ok());
  EXPECT_GE(result->seconds, 0.02);
  EXPECT_EQ(result->operations, count);
}

TEST(PhaseTest, RowsCountAsOperations) {
  Progress progress;
  const absl::StatusOr<Measurement> result =
      RunPhase({.name = "p", .max_operations = 5}, &progress, [](Worker* worker) {
        while (worker->Next()) worker->CountRows(100);
        return absl::OkStatus();
      });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->operations, 500);
}

std::vector<uint64_t> Draw(const std::string& phase, int threads) {
  Progress progress;
  std::vector<uint64_t> drawn(threads);
  const absl::StatusOr<Measurement> result =
      RunPhase({.name = phase, .threads = threads, .max_operations = 100}, &progress,
               [&drawn](Worker* worker) {
                 while (worker->Next()) drawn[worker->thread()] = worker->random()->Next();
                 return absl::OkStatus();
               });
  EXPECT_TRUE(result.ok()) << result.status();
  return drawn;
}

TEST(PhaseTest, RandomNumbersAreTheSameInEachRunAndOthersInEachPhaseAndThread) {
  const std::vector<uint64_t> writes = Draw("writes", 2);
  EXPECT_EQ(Draw("writes", 2), writes);
  EXPECT_NE(writes[0], writes[1]);
  EXPECT_NE(Draw("reads", 2)[0], writes[0]);
}

TEST(PhaseTest, SeriesHasAllSecondsAndAllOperations) {
  Progress progress;
  std::atomic<uint64_t> count = 0;
  const absl::StatusOr<Measurement> result = RunPhase(
      {.name = "p", .threads = 2, .max_seconds = 2.5, .latency_interval = 1, .with_series = true},
      &progress, [&count](Worker* worker) { return CountAll(worker, &count); });
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->series.size(), 2) << "the last, half second is left out";
  EXPECT_GT(result->series[0].operations, 0);
  EXPECT_GT(result->series[1].operations, 0);
  EXPECT_LE(result->series[0].operations + result->series[1].operations, result->operations);
}

TEST(PhaseTest, TheFirstErrorIsReturnedWithTheName) {
  Progress progress;
  const absl::StatusOr<Measurement> result =
      RunPhase({.name = "phase", .threads = 2, .max_operations = 100}, &progress,
               [](Worker* worker) -> absl::Status {
                 while (worker->Next()) {
                   if (worker->thread() == 1) return absl::DataLossError("wrong");
                 }
                 return absl::OkStatus();
               });
  EXPECT_EQ(result.status(), absl::DataLossError("phase: wrong"));
}

TEST(PhaseTest, APhaseWithoutAnEndIsRefused) {
  Progress progress;
  EXPECT_FALSE(RunPhase({.name = "p"}, &progress, [](Worker*) { return absl::OkStatus(); }).ok());
}

TEST(PhaseTest, TimeCallTimesOneCall) {
  Progress progress;
  int calls = 0;
  const absl::StatusOr<Measurement> result = TimeCall("call", &progress, [&calls] {
    ++calls;
    return absl::OkStatus();
  });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(result->unit, Unit::kSeconds);
  EXPECT_GT(result->value, 0);
}

}  // namespace
}  // namespace emdb::bench
