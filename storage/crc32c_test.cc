#include "storage/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace emdb {
namespace {

std::string RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32cTest, PublishedVectors) {
  std::string ascending(32, '\0');
  std::string descending(32, '\0');
  for (size_t i = 0; i < 32; ++i) {
    ascending[i] = static_cast<char>(i);
    descending[i] = static_cast<char>(31 - i);
  }
  const std::string iscsi_read(
      "\x01\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x14\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x14\x00\x00\x00\x18"
      "\x28\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
      48);
  for (const auto extend : {ExtendCrc32c, ExtendCrc32cPortable}) {
    EXPECT_EQ(extend(0, ""), 0u);
    EXPECT_EQ(extend(0, "123456789"), 0xE3069283u);
    EXPECT_EQ(extend(0, std::string(32, '\0')), 0x8A9136AAu);
    EXPECT_EQ(extend(0, std::string(32, '\xff')), 0x62A8AB43u);
    EXPECT_EQ(extend(0, ascending), 0x46DD794Eu);
    EXPECT_EQ(extend(0, descending), 0x113FDB5Cu);
    EXPECT_EQ(extend(0, iscsi_read), 0xD9963A56u);
  }
}

TEST(Crc32cTest, AcceleratedEqualsPortableAtEveryShortLengthAndAlignment) {
  const std::string bytes = RandomBytes(2200, 1);
  const std::string_view view = bytes;
  for (size_t start = 0; start < 9; ++start) {
    for (size_t size = 0; size <= 1100; ++size) {
      const std::string_view piece = view.substr(start, size);
      ASSERT_EQ(ExtendCrc32c(7, piece), ExtendCrc32cPortable(7, piece)) << start << " " << size;
    }
  }
}

TEST(Crc32cTest, AcceleratedEqualsPortableAtRandomLongLengths) {
  constexpr uint64_t kSeed = 2;
  SCOPED_TRACE(kSeed);
  const std::string bytes = RandomBytes(100000, kSeed);
  const std::string_view view = bytes;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 500; ++i) {
    const size_t start = random() % bytes.size();
    const std::string_view piece = view.substr(start, random() % (bytes.size() - start));
    const uint32_t initial = static_cast<uint32_t>(random());
    ASSERT_EQ(ExtendCrc32c(initial, piece), ExtendCrc32cPortable(initial, piece))
        << start << " " << piece.size();
  }
}

TEST(Crc32cTest, ExtendingIsTheSumOfTheWhole) {
  const std::string bytes = RandomBytes(10000, 3);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 97) {
    const std::string_view view = bytes;
    ASSERT_EQ(ExtendCrc32c(Crc32c(view.substr(0, cut)), view.substr(cut)), whole) << cut;
  }
}

TEST(Crc32cTest, EveryFlippedBitShows) {
  std::string bytes = RandomBytes(4096, 4);
  const uint32_t whole = Crc32c(bytes);
  for (size_t bit = 0; bit < 8 * bytes.size(); bit += 5) {
    const char mask = static_cast<char>(1 << (bit % 8));
    bytes[bit / 8] ^= mask;
    ASSERT_NE(Crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= mask;
  }
}

}  // namespace
}  // namespace emdb
