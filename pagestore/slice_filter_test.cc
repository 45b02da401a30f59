#include "pagestore/slice_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace emdb {
namespace {

std::string FilterOf(size_t keys) {
  std::string filter(FilterSize(keys), '\0');
  for (size_t i = 0; i < keys; ++i) {
    AddToFilter(FilterHash(absl::StrCat("key", i)), filter.data(), filter.size());
  }
  return filter;
}

TEST(SliceFilterTest, EveryKeyThatWasAddedMayBeThere) {
  for (const size_t keys : {1u, 2u, 100u, 5000u}) {
    const std::string filter = FilterOf(keys);
    for (size_t i = 0; i < keys; ++i) {
      EXPECT_TRUE(FilterMayContain(FilterHash(absl::StrCat("key", i)), filter)) << keys;
    }
  }
}

TEST(SliceFilterTest, FewKeysThatWereNotAddedMayBeThere) {
  const std::string filter = FilterOf(5000);
  int wrong = 0;
  for (int i = 0; i < 10000; ++i) {
    wrong += FilterMayContain(FilterHash(absl::StrCat("other", i)), filter) ? 1 : 0;
  }
  EXPECT_LT(wrong, 200);
}

TEST(SliceFilterTest, AnEmptyFilterDeniesEverything) {
  const std::string filter(FilterSize(0), '\0');
  EXPECT_EQ(filter.size(), kFilterBlockSize);
  EXPECT_FALSE(FilterMayContain(FilterHash("key"), filter));
}

TEST(SliceFilterTest, SizesAreTenBitsAKeyInWholeBlocks) {
  EXPECT_EQ(FilterSize(25), 32u);
  EXPECT_EQ(FilterSize(26), 64u);
  EXPECT_EQ(FilterSize(2500), 3200u);
}

// The hash is a part of the file format.
TEST(SliceFilterTest, TheHashStaysWhatItIs) {
  EXPECT_EQ(FilterHash("123456789"), (uint64_t{0xe3069283} * 0x9e3779b97f4a7c15) ^
                                         ((uint64_t{0xe3069283} * 0x9e3779b97f4a7c15) >> 32));
}

}  // namespace
}  // namespace emdb
