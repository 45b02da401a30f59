#include "wal/record_format.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "storage/crc32c.h"

namespace emdb {
namespace {

constexpr FramePlace kPlace = {.salt = 0x0123456789abcdef, .lsn = 8192};

std::string Encode(std::string_view payload, FramePlace place = kPlace) {
  std::string frame(FrameBytes(payload.size()), '?');
  const FrameHeader header = {.kind = FrameKind::kRecord, .seq = 5};
  EncodeFrame(header, place, payload, Crc32c(payload), frame.data());
  return frame;
}

bool IsIntact(std::string_view frame, FramePlace place = kPlace) {
  FrameHeader header;
  return DecodeFrameHeader(frame.data(), &header) && FrameBytes(header.length) == frame.size() &&
         FrameIsIntact(header, place, frame);
}

TEST(RecordFormatTest, FrameKeepsWhatWasPutIn) {
  for (const std::string payload : {"", "a", "hello", "12345678", "a longer payload"}) {
    const std::string frame = Encode(payload);
    EXPECT_EQ(frame.size() % kFrameAlignment, 0u);
    FrameHeader header;
    ASSERT_TRUE(DecodeFrameHeader(frame.data(), &header));
    EXPECT_EQ(header.kind, FrameKind::kRecord);
    EXPECT_EQ(header.seq, 5u);
    EXPECT_EQ(FramePayload(header, frame), payload);
    EXPECT_TRUE(FrameIsIntact(header, kPlace, frame));
  }
}

TEST(RecordFormatTest, LargestSeqFits) {
  const FrameHeader header = {.kind = FrameKind::kVoid, .seq = kMaxSeq};
  char frame[kFrameHeaderBytes];
  EncodeFrame(header, kPlace, "", Crc32c(""), frame);
  FrameHeader decoded;
  ASSERT_TRUE(DecodeFrameHeader(frame, &decoded));
  EXPECT_EQ(decoded.seq, kMaxSeq);
  EXPECT_EQ(decoded.kind, FrameKind::kVoid);
}

TEST(RecordFormatTest, EveryFlippedBitIsFound) {
  const std::string frame = Encode("hello");
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(IsIntact(damaged)) << bit;
  }
}

TEST(RecordFormatTest, FrameIsIntactOnlyInItsPlace) {
  const std::string frame = Encode("hello");
  EXPECT_TRUE(IsIntact(frame));
  EXPECT_FALSE(IsIntact(frame, {.salt = kPlace.salt + 1, .lsn = kPlace.lsn}));
  EXPECT_FALSE(IsIntact(frame, {.salt = kPlace.salt, .lsn = kPlace.lsn + 8}));
}

TEST(RecordFormatTest, ZerosAreNoFrame) {
  const std::string zeros(64, '\0');
  FrameHeader header;
  EXPECT_FALSE(DecodeFrameHeader(zeros.data(), &header));
}

TEST(RecordFormatTest, ImpossibleHeadersAreRefused) {
  FrameHeader header;
  std::string frame = Encode("hello");
  frame[7] = 0x7f;  // a length of almost 2 GiB
  EXPECT_FALSE(DecodeFrameHeader(frame.data(), &header));
  frame = Encode("hello");
  frame[8] = 17;  // an unknown kind
  EXPECT_FALSE(DecodeFrameHeader(frame.data(), &header));
  frame = Encode("hello");
  frame[8] = 32;  // a witness of 5 bytes
  EXPECT_FALSE(DecodeFrameHeader(frame.data(), &header));
}

TEST(RecordFormatTest, KindsThatAreNotKnownAreRefusedWhateverTheirLength) {
  const std::set<int> known = {16, 24, 32, 40};
  for (const std::string payload : {"", "hello", "12345678"}) {
    std::string frame = Encode(payload);
    for (int kind = 0; kind < 256; ++kind) {
      frame[8] = static_cast<char>(kind);
      FrameHeader header;
      const bool fits = kind <= 24 || payload.size() == kNumberPayloadBytes;
      EXPECT_EQ(DecodeFrameHeader(frame.data(), &header), known.contains(kind) && fits)
          << kind << ", " << payload.size() << " bytes";
    }
  }
}

TEST(RecordFormatTest, SaltsOfAChainDiffer) {
  std::set<uint64_t> seen;
  uint64_t salt = 1;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(seen.insert(salt).second);
    salt = NextSalt(salt);
  }
}

}  // namespace
}  // namespace emdb
