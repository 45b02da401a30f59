#include "wal/log_snapshot.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/crc32c.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/segment.h"

namespace emdb {
namespace {

constexpr uint64_t kSalt = 5;
constexpr uint64_t kCapacity = 65536;

// A snapshot of seqs 10 to 15: two pieces in a segment's file, one in memory, two records each.
class LogSnapshotTest : public testing::Test {
 protected:
  LogSnapshotTest()
      : segment_(*Segment::Create(&env_, "/d/log", kCapacity, Segment::Access::kBuffered)) {
    segment_->Renew({.salt = kSalt, .number = 1, .first_seq = 10, .capacity_bytes = kCapacity},
                    true);
    std::string stream;
    snapshot_.path = "/d/log";
    snapshot_.first_seq = 10;
    for (uint64_t seq = 10; seq < 16; seq += 2) {
      const uint64_t begin = stream.size();
      Put(&stream, seq, FrameKind::kRecord);
      Put(&stream, seq + 1, seq == 12 ? FrameKind::kVoid : FrameKind::kRecord);
      snapshot_.pieces.push_back({{kSalt, begin, stream.size(), seq}, segment_, ""});
    }
    EXPECT_EQ(segment_->Write(0, stream), absl::OkStatus());
    LogPiece& last = snapshot_.pieces.back();
    last.segment = nullptr;
    last.bytes = stream.substr(last.range.begin_lsn);
  }

  static void Put(std::string* stream, uint64_t seq, FrameKind kind) {
    const std::string payload = "record " + std::to_string(seq);
    const uint64_t lsn = stream->size();
    stream->resize(lsn + FrameBytes(payload.size()));
    EncodeFrame({.kind = kind, .seq = seq}, {kSalt, lsn}, payload, Crc32c(payload),
                stream->data() + lsn);
  }

  absl::Status Replay(uint64_t from_seq) {
    seqs_.clear();
    return ReplaySnapshot(snapshot_, from_seq, [this](uint64_t seq, std::string_view record) {
      EXPECT_EQ(record, "record " + std::to_string(seq));
      seqs_.push_back(seq);
      return absl::OkStatus();
    });
  }

  FaultEnv env_;
  std::shared_ptr<Segment> segment_;
  LogSnapshot snapshot_;
  std::vector<uint64_t> seqs_;  // visited by the last Replay
};

TEST_F(LogSnapshotTest, RecordsOfAllPiecesComeInOrderButForVoids) {
  EXPECT_EQ(Replay(10), absl::OkStatus());
  EXPECT_EQ(seqs_, (std::vector<uint64_t>{10, 11, 12, 14, 15}));
}

TEST_F(LogSnapshotTest, ReplayBeginsAtAnySeq) {
  EXPECT_EQ(Replay(12), absl::OkStatus());
  EXPECT_EQ(seqs_, (std::vector<uint64_t>{12, 14, 15}));
  EXPECT_EQ(Replay(15), absl::OkStatus());
  EXPECT_EQ(seqs_, (std::vector<uint64_t>{15}));
  EXPECT_EQ(Replay(16), absl::OkStatus());
  EXPECT_TRUE(seqs_.empty());
}

TEST_F(LogSnapshotTest, SeqBelowTheFirstIsOutOfRange) {
  const absl::Status status = Replay(9);
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_NE(status.message().find("10"), absl::string_view::npos) << status;
}

TEST_F(LogSnapshotTest, DamageInAFileNamesItAndTheOffset) {
  const uint64_t damaged = segment_->OffsetOf(snapshot_.pieces[1].range.begin_lsn);
  const auto file = *env_.OpenFile("/d/log", {.write = true});
  ASSERT_EQ(file->WriteAt(damaged, "xxxx"), absl::OkStatus());
  const absl::Status status = Replay(10);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(seqs_, (std::vector<uint64_t>{10, 11}));
  EXPECT_NE(status.message().find("/d/log"), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find(std::to_string(damaged)), absl::string_view::npos) << status;
  // Nothing is read that is not asked for.
  EXPECT_EQ(Replay(14), absl::OkStatus());
}

TEST_F(LogSnapshotTest, DamageInMemoryIsFound) {
  snapshot_.pieces[2].bytes[0] ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(Replay(14)));
}

TEST_F(LogSnapshotTest, ErrorOfTheVisitorIsReturned) {
  int visits = 0;
  const absl::Status status = ReplaySnapshot(snapshot_, 10, [&visits](uint64_t, std::string_view) {
    return ++visits == 3 ? absl::AbortedError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::AbortedError("enough"));
  EXPECT_EQ(visits, 3);
}

}  // namespace
}  // namespace emdb
