#include "wal/frame_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/aligned_buffer.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/segment.h"

namespace emdb {
namespace {

constexpr uint64_t kSalt = 5;

// A stream from lsn 0 under kSalt.
class Stream {
 public:
  void Add(FrameKind kind, uint64_t seq, std::string_view payload) {
    const uint64_t lsn = bytes.size();
    bytes.resize(lsn + FrameBytes(payload.size()));
    EncodeFrame({.kind = kind, .seq = seq}, {kSalt, lsn}, payload, Crc32c(payload), &bytes[lsn]);
  }
  void AddRecord(uint64_t seq, std::string_view payload) { Add(FrameKind::kRecord, seq, payload); }
  void AddWitness(uint64_t seq, uint64_t durable_seq) {
    char payload[kNumberPayloadBytes];
    Store64(payload, durable_seq);
    Add(FrameKind::kWitness, seq, std::string_view(payload, sizeof(payload)));
  }
  FrameRange Range(uint64_t seq) const { return {kSalt, 0, bytes.size(), seq}; }

  std::string bytes;
};

// The payloads of what `reader` finds.
std::vector<std::string> ReadAll(FrameReader* reader) {
  std::vector<std::string> payloads;
  Frame frame;
  while (*reader->Next(&frame)) payloads.emplace_back(frame.payload);
  return payloads;
}

TEST(FrameReaderTest, ReadsFromMemory) {
  Stream stream;
  stream.AddRecord(7, "seven");
  stream.AddRecord(8, "");
  FrameReader reader(stream.bytes, stream.Range(7));
  EXPECT_EQ(ReadAll(&reader), (std::vector<std::string>{"seven", ""}));
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_EQ(reader.seq(), 9u);
}

TEST(FrameReaderTest, ReadsFramesLongerThanItsWindow) {
  FaultEnv env;
  constexpr uint64_t kCapacity = 8 << 20;
  const auto segment = *Segment::Create(&env, "/s", kCapacity, Segment::Access::kBuffered);
  segment->Renew({.salt = kSalt, .number = 1, .capacity_bytes = kCapacity}, true);
  Stream stream;
  std::vector<std::string> expected;
  for (const size_t size : {10, 3'000'000, 1'048'560, 100, 1'048'576, 0}) {
    expected.emplace_back(size, 'x');
    stream.AddRecord(expected.size(), expected.back());
  }
  ASSERT_EQ(segment->Write(0, stream.bytes), absl::OkStatus());
  FrameReader reader(segment.get(), stream.Range(1));
  EXPECT_EQ(ReadAll(&reader), expected);
  EXPECT_TRUE(reader.AtEnd());
}

TEST(FrameReaderTest, StopsAtASeqThatIsNotDue) {
  Stream stream;
  stream.AddRecord(7, "seven");
  stream.AddRecord(9, "nine");
  FrameReader reader(stream.bytes, stream.Range(7));
  EXPECT_EQ(ReadAll(&reader).size(), 1u);
  EXPECT_FALSE(reader.AtEnd());
  EXPECT_EQ(reader.lsn(), 24u);
  EXPECT_NE(reader.problem().find("seq 8"), std::string::npos) << reader.problem();
}

TEST(FrameReaderTest, StopsAtAWitnessThatKnowsTooMuch) {
  Stream stream;
  stream.AddRecord(7, "seven");
  stream.AddWitness(8, 8);
  stream.AddWitness(8, 9);
  FrameReader reader(stream.bytes, stream.Range(7));
  EXPECT_EQ(ReadAll(&reader).size(), 2u);
  EXPECT_FALSE(reader.AtEnd());
}

TEST(FrameReaderTest, FrameThatReachesPastTheRangeIsNone) {
  Stream stream;
  stream.AddRecord(7, std::string(100, 'x'));
  FrameRange range = stream.Range(7);
  range.end_lsn -= 8;
  FrameReader reader(std::string_view(stream.bytes).substr(0, range.end_lsn), range);
  EXPECT_TRUE(ReadAll(&reader).empty());
}

TEST(FrameReaderTest, PeekFindsFramesAheadWithinBounds) {
  Stream stream;
  stream.AddRecord(7, "seven");
  stream.AddRecord(8, "eight");
  FrameReader reader(stream.bytes, stream.Range(7));
  Frame frame;
  EXPECT_TRUE(*reader.Peek(24, 7, 9, &frame));
  EXPECT_EQ(frame.payload, "eight");
  EXPECT_FALSE(*reader.Peek(24, 9, 10, &frame));
  EXPECT_FALSE(*reader.Peek(24, 0, 7, &frame));
  EXPECT_FALSE(*reader.Peek(16, 7, 9, &frame));
  EXPECT_EQ(reader.lsn(), 0u);
}

TEST(FrameReaderTest, PeekNumberFindsOnlyFramesWithANumberWithinBounds) {
  Stream stream;
  stream.AddRecord(7, "8 bytes.");
  stream.AddWitness(8, 7);
  FrameReader reader(stream.bytes, stream.Range(7));
  Frame frame;
  EXPECT_TRUE(*reader.PeekNumber(24, 7, 9, &frame));
  EXPECT_EQ(Load64(frame.payload.data()), 7u);
  EXPECT_TRUE(*reader.PeekNumber(24, 8, 8, &frame));
  EXPECT_FALSE(*reader.PeekNumber(24, 9, 10, &frame));
  EXPECT_FALSE(*reader.PeekNumber(24, 0, 7, &frame));
  EXPECT_FALSE(*reader.PeekNumber(0, 7, 9, &frame));
  EXPECT_TRUE(*reader.Peek(0, 7, 9, &frame));
}

TEST(FrameReaderTest, ErrorOfTheDiskIsReturned) {
  FaultEnv env;
  const auto segment = *Segment::Create(&env, "/s", 65536, Segment::Access::kBuffered);
  segment->Renew({.salt = kSalt, .number = 1, .capacity_bytes = 65536}, true);
  env.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kRead; }});
  FrameReader reader(segment.get(), {kSalt, 0, 65536, 0});
  Frame frame;
  EXPECT_TRUE(absl::IsUnavailable(reader.Next(&frame).status()));
}

}  // namespace
}  // namespace emdb
