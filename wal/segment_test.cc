#include "wal/segment.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/aligned_buffer.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/segment";
constexpr uint64_t kCapacity = 256 << 10;

SegmentHeader Header() {
  return {.salt = 7, .number = 3, .first_seq = 10, .base_lsn = 40960, .capacity_bytes = kCapacity};
}

class SegmentTest : public testing::TestWithParam<Segment::Access> {
 protected:
  std::shared_ptr<Segment> Create() {
    std::shared_ptr<Segment> segment = *Segment::Create(&env_, kPath, kCapacity, GetParam());
    segment->Renew(Header(), true);
    EXPECT_EQ(segment->WriteBlock(), absl::OkStatus());
    return segment;
  }
  FaultEnv env_;
};

TEST_P(SegmentTest, BytesAreWhereTheirLsnSays) {
  const auto segment = Create();
  AlignedBuffer stream(kCapacity);
  for (size_t i = 0; i < stream.size(); ++i) stream.data()[i] = static_cast<char>(i * 31 >> 3);
  // Small and large pieces, from the middle of a block and from its start.
  uint64_t written = 0;
  for (const uint64_t end : {100, 101, 4096, 4200, 100'000, 200'704, 262'144}) {
    const uint64_t block = RoundDownToBlock(written);
    const std::string_view blocks(stream.data() + block, end - block);
    ASSERT_EQ(segment->Write(40960 + written, blocks), absl::OkStatus());
    written = end;
    std::string read(written, '\0');
    ASSERT_EQ(segment->Read(40960, written, read.data()), absl::OkStatus());
    EXPECT_EQ(std::memcmp(read.data(), stream.data(), written), 0) << end;
  }
}

TEST_P(SegmentTest, OpenFindsHeaderAndState) {
  {
    const auto segment = Create();
    ASSERT_EQ(segment->ChangeState([](SegmentState* state) {
      *state = {.mark = SegmentMark::kClosed, .end_lsn = 40968, .end_seq = 11, .end_salt = 8};
    }),
              absl::OkStatus());
  }
  const auto segment = *Segment::Open(&env_, kPath, GetParam());
  EXPECT_EQ(segment->header().number, 3u);
  EXPECT_EQ(segment->header().capacity_bytes, kCapacity);
  EXPECT_EQ(segment->state().mark, SegmentMark::kClosed);
  EXPECT_EQ(segment->state().end_seq, 11u);
}

TEST_P(SegmentTest, FailedChangeOfStateChangesNothing) {
  const auto segment = Create();
  env_.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; }});
  EXPECT_FALSE(segment->ChangeState([](SegmentState* state) { state->is_first = false; }).ok());
  EXPECT_TRUE(segment->state().is_first);
}

TEST_P(SegmentTest, CutFileIsDataLoss) {
  Create();
  auto file = *env_.OpenFile(kPath, {.write = true});
  ASSERT_EQ(file->Truncate(kCapacity), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(Segment::Open(&env_, kPath, GetParam()).status()));
  ASSERT_EQ(file->Truncate(10), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(Segment::Open(&env_, kPath, GetParam()).status()));
}

TEST_P(SegmentTest, CreateWithoutSpaceLeavesNoFile) {
  env_.SetCapacity(10'000);
  EXPECT_TRUE(
      absl::IsResourceExhausted(Segment::Create(&env_, kPath, kCapacity, GetParam()).status()));
  EXPECT_TRUE(env_.FullImage().files.empty());
}

INSTANTIATE_TEST_SUITE_P(Modes, SegmentTest,
                         testing::Values(Segment::Access::kBuffered, Segment::Access::kDirect),
                         [](const auto& info) {
                           return info.param == Segment::Access::kDirect ? "Direct" : "Buffered";
                         });

}  // namespace
}  // namespace emdb
