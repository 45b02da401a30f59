#include "storage/zeroed_array.h"

#include <atomic>
#include <cstdint>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(ZeroedArrayTest, HoldsZerosAtFirstAndThenWhatIsStored) {
  constexpr size_t kSize = 100'000;
  const ZeroedArray<std::atomic<uint32_t>> array(kSize);
  for (size_t i = 0; i < kSize; ++i) ASSERT_EQ(array[i].load(), 0u);
  array[kSize - 1] = 7;
  EXPECT_EQ(array[kSize - 1].load(), 7u);
  EXPECT_EQ(array[kSize - 2].load(), 0u);
}

}  // namespace
}  // namespace emdb
