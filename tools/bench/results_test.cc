#include "tools/bench/results.h"

#include <string>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

Results Example() {
  Results results;
  results.run.date = "2026-01-02 03:04 UTC";
  results.run.command = "bench --profile=\"x\"";
  results.run.profile = "smoke";
  results.run.machine = {{"processor", "one, 2 cores"}};
  results.run.engines = {{"emdb", "1", "as it comes", "all of it"}};
  results.run.workloads = {{"commit", "durable writes"}};
  Measurement measurement;
  measurement.workload = "commit";
  measurement.phase = "8 threads";
  measurement.engine = "emdb";
  measurement.repetition = 2;
  measurement.unit = Unit::kSeconds;
  measurement.value = 1.5;
  measurement.operations = 1000;
  measurement.syncs = 250;
  measurement.probe_p50_ns = 100'000;
  measurement.latency = {.count = 1000,
                         .p50_ns = 5,
                         .p90_ns = 6,
                         .p99_ns = 7,
                         .p999_ns = 8,
                         .p9999_ns = 9,
                         .max_ns = 10};
  measurement.series = {{100, 5}, {200, 6}};
  results.measurements = {measurement};
  results.failures = {{"commit", "lmdb", 1, "it \"broke\"\nbadly", false}};
  results.is_complete = true;
  return results;
}

TEST(ResultsTest, JsonLinesKeepEverything) {
  const std::string text = Example().ToJsonLines();
  const absl::StatusOr<Results> read = Results::FromJsonLines(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJsonLines(), text);
  EXPECT_TRUE(read->is_complete);
  ASSERT_EQ(read->measurements.size(), 1);
  EXPECT_EQ(read->measurements[0].unit, Unit::kSeconds);
  EXPECT_EQ(read->measurements[0].latency.p999_ns, 8);
  ASSERT_EQ(read->measurements[0].series.size(), 2);
  EXPECT_EQ(read->measurements[0].series[1].operations, 200);
  EXPECT_EQ(read->failures[0].message, "it \"broke\"\nbadly");
}

TEST(ResultsTest, ACutOffLastLineIsLeftOut) {
  const std::string text = Example().ToJsonLines();
  const size_t second_line = text.find('\n') + 1;
  const absl::StatusOr<Results> read = Results::FromJsonLines(text.substr(0, second_line + 20));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->run.profile, "smoke");
  EXPECT_TRUE(read->measurements.empty());
  EXPECT_FALSE(read->is_complete);
}

TEST(ResultsTest, ABadLineIsNamed) {
  const absl::StatusOr<Results> read = Results::FromJsonLines("{\"type\":\"end\"}\n{]\n");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().message().substr(0, 6), "line 2");
  EXPECT_FALSE(Results::FromJsonLines("{\"type\":\"other\"}\n").ok());
}

TEST(ResultsTest, FilesAreReplacedAsAWhole) {
  const std::string path = ::testing::TempDir() + "/results_test.txt";
  ASSERT_TRUE(WriteFile(path, "a longer first text").ok());
  ASSERT_TRUE(WriteFile(path, "short").ok());
  EXPECT_EQ(*ReadFile(path), "short");
  EXPECT_FALSE(ReadFile(path + ".tmp").ok());
  EXPECT_FALSE(WriteFile("/nowhere/at/all", "x").ok());
}

}  // namespace
}  // namespace emdb::bench
