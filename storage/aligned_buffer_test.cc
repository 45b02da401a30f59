#include "storage/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace emdb {
namespace {

TEST(AlignedBufferTest, IsAlignedAndWhole) {
  const AlignedBuffer buffer(5000);
  EXPECT_EQ(buffer.size(), 2 * kDirectAlignment);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kDirectAlignment, 0u);
  EXPECT_EQ(AlignedBuffer().size(), 0u);
}

}  // namespace
}  // namespace emdb
