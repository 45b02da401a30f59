#include "tools/bench/zipfian.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

constexpr uint64_t kRecords = 1000;
constexpr int kDraws = 200'000;

TEST(ZipfianTest, LowRanksHaveTheirShare) {
  const Zipfian zipfian(kRecords);
  Random random(42);
  std::vector<int> counts(kRecords);
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t rank = zipfian.Rank(&random);
    ASSERT_LT(rank, kRecords);
    ++counts[rank];
  }
  // 1 / (k^0.99 * zeta(1000)), with zeta(1000) = 7.73 for theta 0.99.
  EXPECT_NEAR(counts[0], kDraws / 7.73, kDraws * 0.005);
  EXPECT_NEAR(counts[1], kDraws / 7.73 / 1.986, kDraws * 0.005);
  EXPECT_GT(counts[10], counts[500]);
}

TEST(ZipfianTest, ScrambledKeepsTheFrequenciesAndStaysInRange) {
  const Zipfian zipfian(kRecords);
  Random random(42);
  std::vector<int> counts(kRecords);
  for (int i = 0; i < kDraws; ++i) ++counts.at(zipfian.Scrambled(&random));
  EXPECT_GT(*std::max_element(counts.begin(), counts.end()), kDraws / 10);
}

TEST(ZipfianTest, OfOneAndOfTwo) {
  Random random(42);
  const Zipfian one(1);
  const Zipfian two(2);
  bool seen[2] = {};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(one.Rank(&random), 0);
    seen[two.Rank(&random)] = true;
  }
  EXPECT_TRUE(seen[0] && seen[1]);
}

}  // namespace
}  // namespace emdb::bench
