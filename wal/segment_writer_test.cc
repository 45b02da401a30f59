#include "wal/segment_writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/crash_chooser.h"
#include "storage/fault_env.h"
#include "wal/log_files.h"
#include "wal/segment.h"
#include "wal/segment_chain.h"

namespace emdb {
namespace {

constexpr uint64_t kCapacity = 2 << 20;

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriterTest() { Start(); }

  uint64_t Syncs() const {
    LatencyHistogram syncs;
    writer_->counts().sync_latency.AddTo(&syncs);
    return syncs.count;
  }

  // A new disk with a log of one segment, in which nothing is written.
  void Start() {
    writer_.reset();
    env_ = std::make_unique<FaultEnv>();
    files_ = *LogFiles::Open(env_.get(), "/d/log");
    first_ = Make({.salt = 1, .number = 1, .capacity_bytes = kCapacity});
    EXPECT_EQ(first_->WriteBlock(), absl::OkStatus());
    EXPECT_EQ(first_->Sync(), absl::OkStatus());
    EXPECT_EQ(InstallSegment(files_.get(), nullptr, first_.get()), absl::OkStatus());
    writer_ = std::make_unique<SegmentWriter>(files_.get(), first_);
  }

  std::shared_ptr<Segment> Make(const SegmentHeader& header) {
    std::shared_ptr<Segment> segment =
        *Segment::Create(env_.get(), files_->NewSparePath(), kCapacity, Segment::Access::kBuffered);
    segment->Renew(header, header.number == 1);
    return segment;
  }

  // The segment at `path`, as a power cut would leave it now.
  std::shared_ptr<Segment> AfterPowerCut(const std::string& path) {
    after_ = std::make_unique<FaultEnv>(env_->SyncedImage());
    return *Segment::Open(after_.get(), path, Segment::Access::kReadOnly);
  }

  static std::string Read(const Segment& segment, uint64_t lsn, size_t size) {
    std::string bytes(size, '\0');
    EXPECT_EQ(segment.Read(lsn, size, bytes.data()), absl::OkStatus());
    return bytes;
  }

  void FailNext(FileOp op) {
    env_->AddRule(
        {.matches = [op](FileOp other, std::string_view) { return other == op; }, .count = 1});
  }

  std::unique_ptr<FaultEnv> env_;
  std::unique_ptr<LogFiles> files_;
  std::shared_ptr<Segment> first_;
  std::unique_ptr<SegmentWriter> writer_;
  std::unique_ptr<FaultEnv> after_;
};

TEST_F(SegmentWriterTest, WhatIsWrittenIsDurableAfterSync) {
  ASSERT_EQ(writer_->Write(0, "some bytes"), absl::OkStatus());
  EXPECT_EQ(Read(*AfterPowerCut("/d/log"), 0, 10), std::string(10, '\0'));
  ASSERT_EQ(writer_->Sync(), absl::OkStatus());
  EXPECT_EQ(Read(*AfterPowerCut("/d/log"), 0, 10), "some bytes");
  EXPECT_EQ(Syncs(), 1u);
}

TEST_F(SegmentWriterTest, NothingIsSyncedForNothing) {
  ASSERT_EQ(writer_->Sync(), absl::OkStatus());
  EXPECT_EQ(Syncs(), 0u);
}

TEST_F(SegmentWriterTest, ClosingMakesAnUnsyncedPieceDurableBeforeTheMark) {
  const std::string piece(24, 'x');
  ASSERT_EQ(writer_->Write(0, piece), absl::OkStatus());
  ASSERT_EQ(writer_->MarkClosed({.lsn = 24, .seq = 1}, 1), absl::OkStatus());
  const std::shared_ptr<Segment> segment = AfterPowerCut("/d/log");
  EXPECT_EQ(segment->state().mark, SegmentMark::kClosed);
  EXPECT_EQ(segment->state().end_lsn, 24u);
  EXPECT_EQ(Read(*segment, 0, 24), piece);
}

TEST_F(SegmentWriterTest, ClosedMarkNeverStandsBehindBytesThatAreNotThere) {
  const std::string piece(24, 'x');
  for (uint64_t k = 0;; ++k) {
    Start();
    ASSERT_EQ(writer_->Write(0, piece), absl::OkStatus());
    env_->CutPowerAt(env_->OperationCount() + k);
    const bool closed = writer_->MarkClosed({.lsn = 24, .seq = 1}, 1).ok();
    for (uint64_t seed = 0; seed < 8; ++seed) {
      RandomChooser chooser(seed);
      FaultEnv after(env_->CrashImage(&chooser));
      const auto found = *Segment::Open(&after, "/d/log", Segment::Access::kReadOnly);
      if (found->state().mark != SegmentMark::kClosed) continue;
      EXPECT_EQ(Read(*found, 0, 24), piece) << "power cut at " << k << ", seed " << seed;
    }
    EXPECT_EQ(closed, !env_->PowerIsCut());
    if (closed) break;
  }
}

TEST_F(SegmentWriterTest, ClosedLogIsResumedInOneSync) {
  const std::string piece(24, 'x');
  ASSERT_EQ(writer_->Write(0, piece), absl::OkStatus());
  ASSERT_EQ(writer_->MarkClosed({.lsn = 24, .seq = 1}, 1), absl::OkStatus());
  const uint64_t syncs = Syncs();
  ASSERT_EQ(writer_->Resume(piece + std::string(24, 'r'), 77), absl::OkStatus());
  EXPECT_EQ(Syncs(), syncs + 1);
  const std::shared_ptr<Segment> segment = AfterPowerCut("/d/log");
  EXPECT_EQ(segment->state().mark, SegmentMark::kOpen);
  EXPECT_EQ(segment->state().end_salt, 77u);
  EXPECT_EQ(Read(*segment, 24, 24), std::string(24, 'r'));
}

TEST_F(SegmentWriterTest, NextSegmentIsInPlaceAndTheOldOneWhole) {
  ASSERT_EQ(writer_->Write(0, std::string(24, 'x')), absl::OkStatus());
  const SegmentHeader header = HeaderAfter(first_->header(), {.lsn = 24, .seq = 1}, 2, kCapacity);
  ASSERT_EQ(writer_->Start(Make(header), header), absl::OkStatus());
  EXPECT_EQ(AfterPowerCut("/d/log")->header().number, 2u);
  EXPECT_EQ(Read(*AfterPowerCut(files_->SealedPath(0)), 0, 24), std::string(24, 'x'));
  EXPECT_EQ(writer_->active()->path(), "/d/log");
}

TEST_F(SegmentWriterTest, LongFrameIsWrittenInPiecesAndItsLastBlockReturned) {
  std::string payload;
  while (payload.size() < (1 << 20) + 5000) payload += std::to_string(payload.size()) + " ";
  const std::string before(40, 'b');
  ASSERT_EQ(writer_->Write(0, before), absl::OkStatus());
  SegmentWriter::LongFrame frame = {.lsn = 40, .header = {}, .payload = payload};
  frame.header = {.length = static_cast<uint32_t>(payload.size()), .kind = FrameKind::kRecord};
  std::string last_block;
  ASSERT_EQ(writer_->WriteFrame(frame, before, &last_block), absl::OkStatus());
  EXPECT_EQ(Read(*first_, 0, 40), before);
  EXPECT_EQ(Read(*first_, 40 + kFrameHeaderBytes, payload.size()), payload);
  const uint64_t end = 40 + FrameBytes(payload.size());
  EXPECT_EQ(last_block, Read(*first_, RoundDownToBlock(end), end % kSegmentBlockBytes));
}

TEST_F(SegmentWriterTest, FailedWriteCanBeMadeAgainButAFailedSyncIsFinal) {
  FailNext(FileOp::kWrite);
  EXPECT_FALSE(writer_->Write(0, "x").ok());
  EXPECT_FALSE(writer_->failed());
  EXPECT_EQ(writer_->Write(0, "x"), absl::OkStatus());
  FailNext(FileOp::kSyncData);
  EXPECT_FALSE(writer_->Sync().ok());
  EXPECT_TRUE(writer_->failed());
}

}  // namespace
}  // namespace emdb
