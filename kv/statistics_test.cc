#include "kv/statistics.h"

#include <cstdint>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(StatisticsTest, CountsOfAllThreadsAreSummed) {
  Statistics statistics;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&statistics] {
      for (int n = 0; n < 1000; ++n) statistics.shard().gets.Add();
      statistics.shard().get_latency.Record(50);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Stats stats;
  statistics.AddTo(&stats);
  EXPECT_EQ(stats.gets, 8000u);
  EXPECT_EQ(stats.get_latency.count, 8u);
}

TEST(StatisticsTest, NothingIsLostWhenThreadsShareAShard) {
  constexpr int kThreads = 80;  // more than there are shards for
  constexpr int kCounts = 1000;
  Statistics statistics;
  std::latch all_are_there(kThreads);
  std::latch all_counted(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      all_are_there.arrive_and_wait();
      Statistics::Shard& shard = statistics.shard();
      for (int n = 0; n < kCounts; ++n) shard.Count(&shard.gets);
      // None ends before all have a shard.
      all_counted.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  Stats stats;
  statistics.AddTo(&stats);
  EXPECT_EQ(stats.gets, uint64_t{kThreads} * kCounts);
}

TEST(StatsTest, ToStringHasOneItemALine) {
  Stats stats;
  stats.puts = 12345;
  stats.durable_seq = 678;
  stats.wal_recovery.first_seq = 91;
  stats.wal_recovery.segments = 23;
  stats.page_store.checkpoints = 45;
  const std::string text = stats.ToString();
  EXPECT_NE(text.find("puts                         12345\n"), std::string::npos) << text;
  EXPECT_NE(text.find("durable seq                  678\n"), std::string::npos) << text;
  EXPECT_NE(text.find("get latency                  none\n"), std::string::npos) << text;
  EXPECT_NE(text.find("log first seq at open        91\n"), std::string::npos) << text;
  EXPECT_NE(text.find("log segments found at open   23\n"), std::string::npos) << text;
  EXPECT_NE(text.find("page store checkpoints       45\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace emdb
