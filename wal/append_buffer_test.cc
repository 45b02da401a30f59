#include "wal/append_buffer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "wal/frame_reader.h"

namespace emdb {
namespace {

constexpr size_t kRingBytes = 64 << 10;
constexpr TailSegment kSegment = {
    .number = 1, .salt = 7, .first_seq = 100, .base_lsn = 8192, .end_lsn = 8192 + 32768};

class AppendBufferTest : public testing::Test {
 protected:
  AppendBufferTest() : buffer_(*env_.MapRing("/ring", kRingBytes), kSegment, 8192, 100) {}

  uint64_t Append(std::string_view record) { return buffer_.AppendRecord(record, Crc32c(record)); }

  FrameReader Reader(uint64_t begin_lsn, uint64_t seq) {
    const FrameRange range = {buffer_.segment().salt, begin_lsn, buffer_.tail_lsn(), seq};
    return FrameReader(buffer_.View(begin_lsn, buffer_.tail_lsn()), range);
  }

  FaultEnv env_;
  AppendBuffer buffer_;
};

TEST_F(AppendBufferTest, FramesFollowOneAnother) {
  EXPECT_TRUE(buffer_.SegmentIsEmpty());
  EXPECT_EQ(Append("one"), 100u);
  EXPECT_EQ(Append(""), 101u);
  EXPECT_TRUE(buffer_.AppendWitness(101));
  EXPECT_EQ(buffer_.tail_lsn(), 8192u + 24 + 16 + 24);
  EXPECT_FALSE(buffer_.SegmentIsEmpty());

  FrameReader reader = Reader(8192, 100);
  Frame frame;
  ASSERT_TRUE(*reader.Next(&frame));
  EXPECT_EQ(frame.payload, "one");
  ASSERT_TRUE(*reader.Next(&frame));
  EXPECT_EQ(frame.header.seq, 101u);
  ASSERT_TRUE(*reader.Next(&frame));
  EXPECT_EQ(frame.header.kind, FrameKind::kWitness);
  EXPECT_EQ(Load64(frame.payload.data()), 101u);
  EXPECT_TRUE(reader.AtEnd());
}

TEST_F(AppendBufferTest, SegmentFullBeforeBufferFull) {
  const std::string record(4000, 'x');
  while (buffer_.FitOf(record.size()) == AppendBuffer::Fit::kFits) Append(record);
  EXPECT_EQ(buffer_.FitOf(record.size()), AppendBuffer::Fit::kSegmentFull);
  EXPECT_EQ(buffer_.FitOf(0), AppendBuffer::Fit::kFits);
}

TEST_F(AppendBufferTest, BufferFullUntilSpaceIsFreed) {
  TailSegment large = kSegment;
  large.first_seq = 100;
  large.base_lsn = 12288;
  large.end_lsn = 12288 + 1'048'576;
  buffer_.StartSegment(large);
  const std::string record(4000, 'x');
  while (buffer_.FitOf(record.size()) == AppendBuffer::Fit::kFits) Append(record);
  EXPECT_EQ(buffer_.FitOf(record.size()), AppendBuffer::Fit::kBufferFull);
  EXPECT_LE(buffer_.tail_lsn() - 8192, kRingBytes);
  buffer_.Free(buffer_.tail_lsn());
  EXPECT_EQ(buffer_.FitOf(record.size()), AppendBuffer::Fit::kFits);
  // Around the end of the ring.
  const uint64_t begin_lsn = buffer_.tail_lsn();
  const uint64_t seq = buffer_.next_seq();
  for (int i = 0; i < 10; ++i) Append(record);
  FrameReader reader = Reader(begin_lsn, seq);
  Frame frame;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(*reader.Next(&frame)) << i;
}

TEST_F(AppendBufferTest, VoidKeepsSeqsAndPlaces) {
  Append("one");
  const uint64_t begin_lsn = buffer_.tail_lsn();
  Append("two");
  EXPECT_TRUE(buffer_.AppendWitness(100));
  Append("three");
  const uint64_t end_lsn = buffer_.tail_lsn();
  buffer_.Void(begin_lsn, end_lsn, kSegment.salt);
  FrameReader reader = Reader(8192, 100);
  Frame frame;
  std::string kinds;
  while (*reader.Next(&frame)) kinds += static_cast<char>(frame.header.kind);
  EXPECT_EQ(kinds, std::string({16, 24, 32, 24}));
  EXPECT_TRUE(reader.AtEnd());
}

TEST_F(AppendBufferTest, ResumeChangesTheSalt) {
  Append("one");
  buffer_.AppendResume(99);
  Append("two");
  const FrameRange range = {kSegment.salt, 8192, buffer_.tail_lsn(), 100};
  FrameReader reader(buffer_.View(8192, buffer_.tail_lsn()), range);
  Frame frame;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(*reader.Next(&frame)) << i;
  EXPECT_EQ(frame.payload, "two");
  EXPECT_EQ(reader.salt(), 99u);
}

TEST_F(AppendBufferTest, SkippedRecordLeavesItsLastBlock) {
  Append("one");
  const uint64_t end_lsn = 8192 + 4096 * 3 + 16;
  buffer_.SkipRecord(end_lsn, "0123456789abcdef");
  EXPECT_EQ(buffer_.tail_lsn(), end_lsn);
  EXPECT_EQ(buffer_.next_seq(), 102u);
  EXPECT_EQ(buffer_.View(end_lsn - 16, end_lsn), "0123456789abcdef");
}

}  // namespace
}  // namespace emdb
