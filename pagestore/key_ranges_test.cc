#include "pagestore/key_ranges.h"

#include <array>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(KeyRangesTest, ContainsFromTheLowerBoundToBeforeTheUpper) {
  KeyRanges ranges;
  EXPECT_FALSE(ranges.Contains("b"));
  ranges.Add({"b", "d"});
  EXPECT_FALSE(ranges.Contains("a"));
  EXPECT_TRUE(ranges.Contains("b"));
  EXPECT_TRUE(ranges.Contains("cz"));
  EXPECT_FALSE(ranges.Contains("d"));
  ranges.Add({"x", {}});
  EXPECT_FALSE(ranges.Contains("w"));
  EXPECT_TRUE(ranges.Contains("zzz"));
}

TEST(KeyRangesTest, ARangeWithinAnotherTakesNothingFromIt) {
  KeyRanges ranges;
  ranges.Add({"", {}});
  ranges.Add({"k", "l"});
  EXPECT_TRUE(ranges.Contains("a"));
  EXPECT_TRUE(ranges.Contains("k"));
  EXPECT_TRUE(ranges.Contains("m"));
}

// Of all keys of one letter, with empty ranges, unbounded ones and all ways to overlap.
TEST(KeyRangesTest, AgreesWithASetOfKeys) {
  constexpr uint64_t kSeed = 5;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 1000; ++round) {
    KeyRanges ranges;
    std::array<bool, 26> expected = {};
    for (uint64_t adds = random() % 8; adds > 0; --adds) {
      const size_t lower = random() % 26;
      const size_t upper = lower + random() % (27 - lower);
      KeyRange range{std::string(1, static_cast<char>('a' + lower)), {}};
      if (upper < 26) range.upper = std::string(1, static_cast<char>('a' + upper));
      ranges.Add(range);
      for (size_t i = lower; i < upper; ++i) expected[i] = true;
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(ranges.Contains(std::string(1, static_cast<char>('a' + i))), expected[i]) << round;
    }
  }
}

}  // namespace
}  // namespace emdb
