#include "storage/short_string.h"

#include <gtest/gtest.h>

#include <string>

namespace emdb {
namespace {

TEST(ShortStringTest, HoldsWhatItWasGiven) {
  ShortString s;
  EXPECT_EQ(s.view(), "");
  for (const size_t size : {0, 1, 63, 64, 65, 4096, 3}) {
    const std::string bytes(size, static_cast<char>('a' + size % 26));
    s.Assign(bytes);
    EXPECT_EQ(s.view(), bytes);
  }
}

TEST(ShortStringTest, KeepsItsHeadWhateverTheTail) {
  ShortString s;
  s.Assign("prefix");
  for (const size_t size : {0, 5, 58, 59, 500, 2}) {
    const std::string tail(size, 't');
    s.ReplaceTail(6, tail);
    EXPECT_EQ(s.view(), "prefix" + tail);
  }
  s.ReplaceTail(3, "");
  EXPECT_EQ(s.view(), "pre");
}

}  // namespace
}  // namespace emdb
