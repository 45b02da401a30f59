#include "tools/bench/memory_warmer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace emdb::bench {
namespace {

long PeakKib() {
  rusage usage{};
  EXPECT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  return usage.ru_maxrss;
}

TEST(MemoryWarmerTest, TouchesThatMuch) {
  const long before = PeakKib();
  const uint64_t warmed = WarmMemory(uint64_t{64} << 20);
  ASSERT_GT(warmed, 0);
  EXPECT_LE(warmed, uint64_t{64} << 20);
  // The peak may have been a little above what is in use now.
  EXPECT_GE(PeakKib() - before, static_cast<long>(warmed >> 10) * 9 / 10);
}

TEST(MemoryWarmerTest, TouchesNothingIfNotAsked) { EXPECT_EQ(WarmMemory(0), 0); }

}  // namespace
}  // namespace emdb::bench
