#include "storage/coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace emdb {
namespace {

std::vector<uint64_t> EdgeValues() {
  std::vector<uint64_t> values = {0};
  for (unsigned bits = 0; bits < 64; ++bits) {
    const uint64_t power = uint64_t{1} << bits;
    values.insert(values.end(), {power - 1, power, power + 1});
  }
  values.push_back(UINT64_MAX);
  return values;
}

std::string Varint(uint64_t value) {
  std::string bytes(kMaxVarint64Bytes, '?');
  bytes.resize(static_cast<size_t>(PutVarint64(bytes.data(), value) - bytes.data()));
  return bytes;
}

TEST(CodingTest, FixedWidthsAreLittleEndianAtAnyAlignment) {
  char bytes[12] = {};
  Store64(bytes + 1, 0x0807060504030201);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(bytes[1 + i], i + 1);
  EXPECT_EQ(Load64(bytes + 1), 0x0807060504030201u);
  EXPECT_EQ(Load32(bytes + 3), 0x06050403u);
  EXPECT_EQ(Load16(bytes + 5), 0x0605u);
  Store32(bytes + 1, 0xddccbbaa);
  Store16(bytes + 5, 0xffee);
  EXPECT_EQ(Load64(bytes + 1), 0x0807ffeeddccbbaau);
}

TEST(CodingTest, VarintsRoundTrip) {
  for (const uint64_t value : EdgeValues()) {
    const std::string bytes = Varint(value);
    EXPECT_EQ(bytes.size(), VarintLength(value)) << value;
    uint64_t decoded = ~value;
    const char* const end = bytes.data() + bytes.size();
    EXPECT_EQ(GetVarint64(bytes.data(), end, &decoded), end) << value;
    EXPECT_EQ(decoded, value);
  }
}

TEST(CodingTest, Varint32RefusesWhatDoesNotFit) {
  for (const uint64_t value : EdgeValues()) {
    const std::string bytes = Varint(value);
    uint32_t decoded = 0;
    const char* const end = bytes.data() + bytes.size();
    const char* const read = GetVarint32(bytes.data(), end, &decoded);
    if (value <= UINT32_MAX) {
      EXPECT_EQ(read, end) << value;
      EXPECT_EQ(decoded, value);
    } else {
      EXPECT_EQ(read, nullptr) << value;
    }
  }
}

TEST(CodingTest, Varint32RefusesMoreBytesThanItsLongest) {
  const std::string longest("\xff\xff\xff\xff\x0f", 5);
  const std::string padded_to_longest("\x81\x80\x80\x80\x00", 5);
  const std::string padded_beyond("\x81\x80\x80\x80\x80\x00", 6);
  uint32_t value = 0;
  EXPECT_EQ(GetVarint32(longest.data(), longest.data() + 5, &value), longest.data() + 5);
  EXPECT_EQ(value, UINT32_MAX);
  EXPECT_EQ(GetVarint32(padded_to_longest.data(), padded_to_longest.data() + 5, &value),
            padded_to_longest.data() + 5);
  EXPECT_EQ(value, 1u);
  EXPECT_EQ(GetVarint32(padded_beyond.data(), padded_beyond.data() + 6, &value), nullptr);
}

TEST(CodingTest, EveryPrefixOfAVarintIsRefused) {
  const std::string bytes = Varint(UINT64_MAX);
  ASSERT_EQ(bytes.size(), kMaxVarint64Bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    uint64_t wide = 0;
    uint32_t narrow = 0;
    EXPECT_EQ(GetVarint64(bytes.data(), bytes.data() + size, &wide), nullptr);
    EXPECT_EQ(GetVarint32(bytes.data(), bytes.data() + size, &narrow), nullptr);
  }
}

TEST(CodingTest, VarintsOfMoreThan64BitsAreRefused) {
  std::string too_large(9, '\xff');
  too_large.push_back('\x02');
  const std::string too_long(11, '\x80');
  for (const std::string& bytes : {too_large, too_long}) {
    uint64_t value = 0;
    EXPECT_EQ(GetVarint64(bytes.data(), bytes.data() + bytes.size(), &value), nullptr);
  }
}

}  // namespace
}  // namespace emdb
