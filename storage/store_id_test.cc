#include "storage/store_id.h"

#include <gtest/gtest.h>

namespace emdb {
namespace {

TEST(StoreIdTest, IsShownAsHexDigitsInOrder) {
  StoreId id{};
  id[0] = 0x01;
  id[1] = 0xAB;
  id[15] = 0xFF;
  EXPECT_EQ(StoreIdToString(id), "01ab00000000000000000000000000ff");
}

}  // namespace
}  // namespace emdb
