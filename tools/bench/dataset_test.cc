#include "tools/bench/dataset.h"

#include <set>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/random.h"

namespace emdb::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DatasetOptions Options(KeyOrder order) {
  return {.key_order = order, .key_bytes = 24, .value_bytes = 150, .capacity = 1000};
}

TEST(RandomTest, UnmixUndoesMix) {
  for (uint64_t x = 0; x < 1000; ++x) {
    EXPECT_EQ(Unmix64(Mix64(x)), x);
    EXPECT_EQ(Unmix64(Mix64(x << 40)), x << 40);
  }
}

class DatasetTest : public ::testing::TestWithParam<KeyOrder> {
 protected:
  Dataset dataset_{Options(GetParam())};
  std::string buffer_;
};

TEST_P(DatasetTest, KeysAreDistinctAndLeadBackToTheirIds) {
  std::set<std::string> keys;
  for (uint64_t id = 0; id < 1000; ++id) {
    const std::string key(dataset_.Key(id, &buffer_));
    EXPECT_EQ(key.size(), 24);
    EXPECT_TRUE(keys.insert(key).second);
    EXPECT_EQ(dataset_.FindId(key), id);
  }
}

TEST_P(DatasetTest, AKeyThatDiffersInAnyByteIsNotTheSameRecord) {
  for (size_t at = 0; at < 24; ++at) {
    std::string key(dataset_.Key(7, &buffer_));
    key[at] ^= 0x40;
    EXPECT_NE(dataset_.FindId(key), 7) << at;
  }
  EXPECT_EQ(dataset_.FindId(""), std::nullopt);
  EXPECT_EQ(dataset_.FindId(dataset_.MissingKey(7, &buffer_)), std::nullopt);
}

TEST_P(DatasetTest, AValueIsRightForItsIdAndVersionOnly) {
  const std::string value(dataset_.Value(7, 3, &buffer_));
  EXPECT_EQ(value.size(), 150);
  EXPECT_TRUE(dataset_.CheckValue(7, 3, value).ok());
  EXPECT_FALSE(dataset_.CheckValue(7, 4, value).ok());
  EXPECT_FALSE(dataset_.CheckValue(8, 3, value).ok());
}

TEST_P(DatasetTest, AFlippedBitAnywhereIsSeenAndItsPlaceNamed) {
  std::string value(dataset_.Value(7, 3, &buffer_));
  for (size_t at = 0; at < value.size(); ++at) {
    value[at] ^= 1;
    const absl::Status status = dataset_.CheckValue(7, 3, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("at byte " + std::to_string(at) + ":"));
    value[at] ^= 1;
  }
}

TEST_P(DatasetTest, ValuesOfAnotherLengthAreWrong) {
  std::string value(dataset_.Value(7, 3, &buffer_));
  value.pop_back();
  EXPECT_FALSE(dataset_.CheckValue(7, 3, value).ok());
  EXPECT_FALSE(dataset_.CheckValue(7, 3, "").ok());
}

TEST_P(DatasetTest, LiveIdsComeInTheOrderOfTheirKeys) {
  for (const uint64_t id : {5, 900, 17, 333}) dataset_.set_version(id, 1);
  EXPECT_EQ(dataset_.CountLive(), 4);
  std::string last;
  for (const uint32_t id : dataset_.LiveIdsInKeyOrder()) {
    const std::string key(dataset_.Key(id, &buffer_));
    EXPECT_LT(last, key);
    last = key;
  }
  dataset_.set_version(17, 0);
  EXPECT_EQ(dataset_.CountLive(), 3);
}

INSTANTIATE_TEST_SUITE_P(All, DatasetTest,
                         ::testing::Values(KeyOrder::kAscending, KeyOrder::kRandom));

TEST(DatasetTest, AscendingKeysGrowWithIds) {
  Dataset dataset(Options(KeyOrder::kAscending));
  for (const uint64_t id : {3, 1, 2}) dataset.set_version(id, 1);
  EXPECT_THAT(dataset.LiveIdsInKeyOrder(), ElementsAre(1, 2, 3));
}

TEST(DatasetTest, VersionsGoFrom255To1) {
  EXPECT_EQ(Dataset::NextVersion(0), 1);
  EXPECT_EQ(Dataset::NextVersion(254), 255);
  EXPECT_EQ(Dataset::NextVersion(255), 1);
}

TEST(DatasetTest, ValuesOfEveryLengthAreCheckedToTheirEnd) {
  DatasetOptions options = Options(KeyOrder::kRandom);
  for (const size_t size : {1, 2, 7, 8, 9, 15, 16, 17, 4095, 4096, 4097, 8191, 8192, 10'000}) {
    options.value_bytes = size;
    const Dataset dataset(options);
    std::string buffer;
    std::string value(dataset.Value(1, 1, &buffer));
    EXPECT_EQ(value.size(), size);
    EXPECT_EQ(Dataset::ClaimedVersion(value), 1) << size;
    EXPECT_TRUE(dataset.CheckValue(1, 1, value).ok()) << size;
    value.back() ^= 0x80;
    EXPECT_FALSE(dataset.CheckValue(1, 1, value).ok()) << size;
  }
}

// What an engine that compresses would save is not what is measured.
TEST(DatasetTest, NoEightBytesOfTwoValuesAreEqual) {
  DatasetOptions options = Options(KeyOrder::kRandom);
  options.value_bytes = 10'000;
  const Dataset dataset(options);
  std::set<std::string> words;
  size_t count = 0;
  std::string buffer;
  for (uint64_t id = 0; id < 20; ++id) {
    const std::string_view value = dataset.Value(id, 1, &buffer);
    for (size_t at = 0; at + 8 <= value.size(); at += 8, ++count) {
      words.emplace(value.substr(at, 8));
    }
  }
  EXPECT_EQ(words.size(), count);
}

}  // namespace
}  // namespace emdb::bench
