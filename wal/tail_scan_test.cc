#include "wal/tail_scan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/segment.h"

namespace emdb {
namespace {

constexpr uint64_t kSalt = 5;
constexpr uint64_t kCapacity = 65536;
constexpr uint64_t kRingBytes = 65536;

// A segment whose stream is put together frame by frame, and a buffer's file.
class TailScanTest : public testing::Test {
 protected:
  TailScanTest()
      : segment_(*Segment::Create(&env_, "/d/log", kCapacity, Segment::Access::kBuffered)) {
    segment_->Renew({.salt = kSalt, .number = 1, .capacity_bytes = kCapacity}, true);
  }

  // Puts a frame at `lsn` of `stream`; returns the lsn behind it.
  static uint64_t Put(std::string* stream, uint64_t lsn, FrameHeader header,
                      std::string_view payload, uint64_t salt = kSalt) {
    const uint64_t end = lsn + FrameBytes(payload.size());
    if (stream->size() < end) stream->resize(end);
    EncodeFrame(header, {salt, lsn}, payload, Crc32c(payload), stream->data() + lsn);
    return end;
  }
  static uint64_t PutRecord(std::string* stream, uint64_t lsn, uint64_t seq) {
    return Put(stream, lsn, {.kind = FrameKind::kRecord, .seq = seq}, "payload");
  }
  static uint64_t PutWitness(std::string* stream, uint64_t lsn, uint64_t seq, uint64_t durable) {
    char number[kNumberPayloadBytes];
    Store64(number, durable);
    return Put(stream, lsn, {.kind = FrameKind::kWitness, .seq = seq},
               std::string_view(number, sizeof(number)));
  }

  static uint64_t PutResume(std::string* stream, uint64_t lsn, uint64_t seq, uint64_t new_salt) {
    char number[kNumberPayloadBytes];
    Store64(number, new_salt);
    return Put(stream, lsn, {.kind = FrameKind::kResume, .seq = seq},
               std::string_view(number, sizeof(number)));
  }

  // Scans with `in_file` in the segment and `in_buffer` in the buffer's file.
  absl::StatusOr<TailScan> Scan(const std::string& in_file, const std::string& in_buffer) {
    EXPECT_EQ(segment_->Write(0, in_file), absl::OkStatus());
    {
      const auto file = *env_.OpenFile("/d/buffer", {.write = true, .create = true});
      EXPECT_EQ(file->WriteAt(0, in_buffer), absl::OkStatus());
      EXPECT_EQ(file->Truncate(kRingBytes), absl::OkStatus());
    }
    const BufferImage buffer = *BufferImage::Open(&env_, "/d/buffer");
    visited_.clear();
    return ScanTail(*segment_, buffer, [this](uint64_t seq, std::string_view) {
      visited_.push_back(seq);
      return absl::OkStatus();
    });
  }

  FaultEnv env_;
  std::shared_ptr<Segment> segment_;
  std::vector<uint64_t> visited_;  // by the last scan
};

TEST_F(TailScanTest, EmptySegmentEndsAtItsBase) {
  const TailScan scan = *Scan("", "");
  EXPECT_EQ(scan.end_lsn, 0u);
  EXPECT_EQ(scan.end_seq, 0u);
  EXPECT_TRUE(scan.parts.empty());
}

TEST_F(TailScanTest, FileThenBufferThenFileAgain) {
  std::string all;
  uint64_t lsn = 0;
  for (uint64_t seq = 0; seq < 3; ++seq) lsn = PutRecord(&all, lsn, seq);
  std::string file = all;
  file[30] ^= 1;  // in the second record
  std::string buffer = all;
  buffer[70] ^= 1;  // in the third
  const TailScan scan = *Scan(file, buffer);
  EXPECT_EQ(scan.end_seq, 3u);
  EXPECT_EQ(scan.records_from_buffer, 1u);
  ASSERT_EQ(scan.parts.size(), 3u);
  EXPECT_FALSE(scan.parts[0].in_buffer);
  EXPECT_TRUE(scan.parts[1].in_buffer);
  EXPECT_FALSE(scan.parts[2].in_buffer);
  EXPECT_EQ(visited_, (std::vector<uint64_t>{0, 1, 2}));
}

TEST_F(TailScanTest, VoidInTheBufferIsBelievedAgainstTheRecordInTheFile) {
  std::string file;
  uint64_t lsn = PutRecord(&file, 0, 0);
  std::string buffer = file;
  const uint64_t second = lsn;
  Put(&buffer, second, {.kind = FrameKind::kVoid, .seq = 1}, "payload");
  lsn = PutRecord(&file, second, 1);
  PutRecord(&file, lsn, 2);
  const TailScan scan = *Scan(file, buffer);
  EXPECT_EQ(scan.end_seq, 3u);
  EXPECT_EQ(visited_, (std::vector<uint64_t>{0, 2}));
  ASSERT_EQ(scan.parts.size(), 3u);
  EXPECT_TRUE(scan.parts[1].in_buffer);
  EXPECT_EQ(scan.parts[1].range.begin_lsn, second);
  EXPECT_EQ(scan.parts[1].range.end_lsn, lsn);
}

// After a power cut a page of the buffer may be older than what was written from it.
TEST_F(TailScanTest, VoidInTheFileIsBelievedAgainstTheRecordInTheBuffer) {
  std::string buffer;
  PutRecord(&buffer, 0, 0);
  std::string file;
  Put(&file, 0, {.kind = FrameKind::kVoid, .seq = 0}, "payload");
  EXPECT_EQ(Scan(file, buffer)->end_seq, 1u);
  EXPECT_TRUE(visited_.empty());
}

TEST_F(TailScanTest, WitnessBehindAHoleIsDamage) {
  std::string file;
  uint64_t lsn = PutRecord(&file, 0, 0);
  lsn = PutRecord(&file, lsn, 1);
  PutWitness(&file, lsn, 2, 1);
  EXPECT_EQ(Scan(file, "")->end_seq, 2u);
  file[3] ^= 1;
  const absl::Status status = Scan(file, "").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("seq 0"), absl::string_view::npos) << status;
}

TEST_F(TailScanTest, RecordsBehindAHoleWithoutAWitnessAreCut) {
  std::string file;
  uint64_t lsn = PutRecord(&file, 0, 0);
  const uint64_t hole = lsn;
  lsn = PutRecord(&file, lsn, 1);
  lsn = PutRecord(&file, lsn, 2);
  PutWitness(&file, lsn, 3, 1);
  file[hole + 3] ^= 1;
  const TailScan scan = *Scan(file, "");
  EXPECT_EQ(scan.end_seq, 1u);
  EXPECT_EQ(scan.end_lsn, hole);
  EXPECT_EQ(scan.bytes_cut, 7u);
  EXPECT_EQ(visited_, (std::vector<uint64_t>{0}));
}

TEST_F(TailScanTest, WitnessShowsWhatNeedsNotBeWrittenAgain) {
  std::string file;
  uint64_t lsn = PutRecord(&file, 0, 0);
  const uint64_t first_group = lsn = PutWitness(&file, lsn, 1, 0);
  lsn = PutRecord(&file, lsn, 1);
  PutWitness(&file, lsn, 2, 1);
  EXPECT_EQ(Scan(file, "")->durable_lsn, first_group);
}

TEST_F(TailScanTest, BufferGoesOnIntoASegmentToCome) {
  std::string file;
  PutRecord(&file, 0, 0);
  std::string buffer;
  Put(&buffer, 4096, {.kind = FrameKind::kRecord, .seq = 1}, "next", NextSalt(kSalt));
  const TailScan scan = *Scan(file, buffer);
  EXPECT_EQ(scan.end_seq, 2u);
  ASSERT_EQ(scan.parts.size(), 2u);
  EXPECT_TRUE(scan.parts[0].in_last);
  EXPECT_FALSE(scan.parts[1].in_last);
  EXPECT_EQ(scan.parts[1].range.begin_lsn, 4096u);
}

TEST_F(TailScanTest, StaleFramesInTheBufferAreNotTaken) {
  std::string file;
  const uint64_t lsn = PutRecord(&file, 0, 0);
  std::string buffer;
  Put(&buffer, lsn, {.kind = FrameKind::kRecord, .seq = 1}, "stale", kSalt + 1);
  EXPECT_EQ(Scan(file, buffer)->end_seq, 1u);
}

TEST_F(TailScanTest, LostResumeFrameIsDamageIfAnythingIsBehindIt) {
  std::string file;
  const uint64_t lsn = PutRecord(&file, 0, 0);
  ASSERT_EQ(segment_->ChangeState([&](SegmentState* state) {
    *state = {.end_lsn = lsn, .end_seq = 1, .end_salt = 77};
  }),
            absl::OkStatus());
  // The power went while the log was being resumed.
  EXPECT_EQ(Scan(file, "")->end_seq, 1u);
  Put(&file, lsn + kNumberFrameBytes, {.kind = FrameKind::kRecord, .seq = 1}, "x", 77);
  EXPECT_TRUE(absl::IsDataLoss(Scan(file, "").status()));
}

// The record's append failed, but all of it is in the file.
TEST_F(TailScanTest, RecordInPlaceOfTheResumeFrameIsNotTaken) {
  std::string file;
  const uint64_t lsn = PutRecord(&file, 0, 0);
  const uint64_t end = PutRecord(&file, lsn, 1);
  ASSERT_EQ(segment_->ChangeState([&](SegmentState* state) {
    *state = {.end_lsn = lsn, .end_seq = 1, .end_salt = 77};
  }),
            absl::OkStatus());
  for (const std::string& buffer : {std::string(), file}) {
    const TailScan scan = *Scan(file, buffer);
    EXPECT_EQ(scan.end_lsn, lsn);
    EXPECT_EQ(scan.end_seq, 1u);
  }
  std::string resumed = file;
  PutResume(&resumed, lsn, 1, 77);
  EXPECT_EQ(Scan(resumed, "")->end_lsn, lsn + kNumberFrameBytes);
  EXPECT_EQ(Scan(file, resumed)->end_lsn, lsn + kNumberFrameBytes);
  Put(&file, end, {.kind = FrameKind::kRecord, .seq = 1}, "x", 77);
  EXPECT_TRUE(absl::IsDataLoss(Scan(file, file).status()));
}

// An open that a power cut ended may have left a resume frame of its own in the buffer.
TEST_F(TailScanTest, OtherResumeFrameIsNotTakenForTheOneThatIsDamaged) {
  std::string file;
  const uint64_t lsn = PutRecord(&file, 0, 0);
  ASSERT_EQ(segment_->ChangeState([&](SegmentState* state) {
    *state = {.end_lsn = lsn, .end_seq = 1, .end_salt = 77};
  }),
            absl::OkStatus());
  std::string buffer;
  PutResume(&buffer, lsn, 1, 66);
  const uint64_t behind = PutResume(&file, lsn, 1, 77);
  Put(&file, behind, {.kind = FrameKind::kRecord, .seq = 1}, "x", 77);
  EXPECT_EQ(Scan(file, buffer)->end_seq, 2u);
  file[lsn + 3] ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(Scan(file, buffer).status()));
}

// In a segment that was never resumed no end is noted, which is not the end that is lsn 0.
TEST_F(TailScanTest, TornFirstRecordThatLooksLikeFramesIsCut) {
  // In every 16 bytes the head of a record of half of the payload, so that comparing them all with
  // what is behind them would take too long.
  constexpr size_t kPayloadBytes = 60'000;
  std::string head(kFrameHeaderBytes, '\0');
  EncodeFrameHeader({.length = kPayloadBytes / 2, .kind = FrameKind::kRecord, .seq = 0},
                    head.data());
  std::string payload;
  while (payload.size() < kPayloadBytes) payload += head;
  std::string file;
  Put(&file, 0, {.kind = FrameKind::kRecord, .seq = 0}, payload);
  file[3] ^= 1;
  const absl::StatusOr<TailScan> scan = Scan(file, "");
  ASSERT_EQ(scan.status(), absl::OkStatus());
  EXPECT_EQ(scan->end_seq, 0u);
}

// Of the two numbers of a state, either says that what is missing had been durable.
TEST_F(TailScanTest, EndInFrontOfThatOfTheStateIsDamage) {
  std::string file;
  const uint64_t behind_record = PutRecord(&file, 0, 0);
  const uint64_t end = PutWitness(&file, behind_record, 1, 0);
  const auto set_end = [this](uint64_t lsn, uint64_t seq) {
    ASSERT_EQ(segment_->ChangeState([&](SegmentState* state) {
      *state = {.end_lsn = lsn, .end_seq = seq, .end_salt = 77};
    }),
              absl::OkStatus());
  };
  set_end(end, 1);
  EXPECT_EQ(Scan(file, "")->end_lsn, end);
  std::string damaged = file;
  damaged[behind_record + 3] ^= 1;  // in the witness
  EXPECT_TRUE(absl::IsDataLoss(Scan(damaged, "").status()));
  damaged = file;
  damaged[3] ^= 1;  // in the record
  const absl::Status status = Scan(damaged, "").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("below seq 1 "), absl::string_view::npos) << status;
  set_end(end, 2);
  EXPECT_TRUE(absl::IsDataLoss(Scan(file, "").status()));
}

TEST_F(TailScanTest, BufferOfImpossibleSizeHoldsNothing) {
  for (const uint64_t size : {0, 100, 4095, 65535, 98304}) {
    const auto file = *env_.OpenFile("/d/odd", {.write = true, .create = true});
    ASSERT_EQ(file->Truncate(size), absl::OkStatus());
    const BufferImage image = *BufferImage::Open(&env_, "/d/odd");
    EXPECT_EQ(image.size(), 0u) << size;
    EXPECT_EQ(image.Read(0, 0).value(), "") << size;
  }
}

}  // namespace
}  // namespace emdb
