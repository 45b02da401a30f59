#include "pagestore/page_bitmap.h"

#include <cstdint>
#include <iostream>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(PageBitmapTest, AgreesWithAVectorOfBools) {
  constexpr uint64_t kSeed = 8;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  constexpr uint32_t kBits = 640;
  PageBitmap bitmap(kBits);
  std::vector<bool> model(kBits);
  for (int step = 0; step < 2000; ++step) {
    const uint32_t begin = random() % kBits;
    const uint32_t end = begin + random() % (kBits - begin + 1);
    const bool set = random() % 2 == 0;
    set ? bitmap.Set(begin, end) : bitmap.Clear(begin, end);
    for (uint32_t bit = begin; bit < end; ++bit) model[bit] = set;
    uint32_t next_set = begin;
    while (next_set < kBits && !model[next_set]) ++next_set;
    uint32_t next_clear = begin;
    while (next_clear < kBits && model[next_clear]) ++next_clear;
    uint32_t last = kBits;
    while (last > 0 && !model[last - 1]) --last;
    uint32_t count = 0;
    for (uint32_t bit = begin; bit < end; ++bit) count += model[bit] ? 1 : 0;
    ASSERT_EQ(bitmap.NextSet(begin), next_set);
    ASSERT_EQ(bitmap.NextClear(begin), next_clear);
    ASSERT_EQ(bitmap.EndOfLastSet(), last);
    ASSERT_EQ(bitmap.CountIn(begin, end), count);
    ASSERT_EQ(bitmap.Test(begin), model[begin]);
  }
  EXPECT_EQ(bitmap.NextSet(kBits), kBits);
}

}  // namespace
}  // namespace emdb
