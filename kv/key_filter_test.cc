#include "kv/key_filter.h"

#include <string>

#include "gtest/gtest.h"

namespace emdb {
namespace {

// Of `size` bytes, told apart by the bytes in the middle.
std::string Key(int n, size_t size) {
  std::string key(size, 'k');
  const std::string digits = std::to_string(1'000'000 + n);
  return key.replace(size / 2, digits.size(), digits).substr(0, size);
}

TEST(KeyFilterTest, ContainsWhatWasAdded) {
  for (size_t size = 1; size < 40; ++size) {
    KeyFilter filter(1 << 20);
    for (int i = 0; i < 1000; ++i) filter.Add(Key(i, size));
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(filter.MayContain(Key(i, size)));
  }
}

TEST(KeyFilterTest, TellsMostOtherKeysApart) {
  constexpr int kRecordBytes = 200;
  constexpr int kRecords = (1 << 20) / kRecordBytes;
  for (const size_t size : {14, 16, 24, 100}) {
    KeyFilter filter(1 << 20);
    for (int i = 0; i < kRecords; ++i) filter.Add(Key(i, size));
    int passed = 0;
    for (int i = kRecords; i < 20 * kRecords; ++i) {
      passed += filter.MayContain(Key(i, size)) ? 1 : 0;
    }
    EXPECT_LT(passed, 19 * kRecords / 250) << "keys of " << size << " bytes";
  }
}

TEST(KeyFilterTest, TheSmallestOneWorks) {
  KeyFilter filter(0);
  EXPECT_FALSE(filter.MayContain("a"));
  filter.Add("a");
  EXPECT_TRUE(filter.MayContain("a"));
  EXPECT_FALSE(filter.MayContain(std::string("a\0", 2)));
}

}  // namespace
}  // namespace emdb
