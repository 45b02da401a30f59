#include "wal/segment_format.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "storage/coding.h"
#include "storage/crc32c.h"
#include "wal/record_format.h"

namespace emdb {
namespace {

SegmentHeader SomeHeader() {
  return {.store_id = {1, 2, 3, 4},
          .salt = 77,
          .number = 5,
          .first_seq = 1000,
          .base_lsn = 40960,
          .capacity_bytes = 61440,
          .prev_salt = 66,
          .prev_end_lsn = 40000};
}

SegmentState SomeState() {
  return {.mark = SegmentMark::kClosed,
          .is_first = true,
          .end_lsn = 41000,
          .end_seq = 1010,
          .end_salt = 99};
}

std::string Encode(const SegmentHeader& header, const SegmentState& state) {
  std::string block(kSegmentBlockBytes, '?');
  EncodeSegmentBlock(header, state, block.data());
  return block;
}

absl::Status Decode(const std::string& block) {
  SegmentHeader header;
  SegmentState state;
  return DecodeSegmentBlock(block, "the/file", &header, &state);
}

// Makes the checksums of both sectors right again.
void Mend(std::string* block) {
  for (const size_t sector : {0, 512}) {
    Store32(block->data() + sector + 508, Crc32c(std::string_view(*block).substr(sector, 508)));
  }
}

TEST(SegmentFormatTest, BlockKeepsWhatWasPutIn) {
  const std::string block = Encode(SomeHeader(), SomeState());
  SegmentHeader header;
  SegmentState state;
  ASSERT_EQ(DecodeSegmentBlock(block, "the/file", &header, &state), absl::OkStatus());
  EXPECT_EQ(header.store_id, SomeHeader().store_id);
  EXPECT_EQ(header.salt, 77u);
  EXPECT_EQ(header.number, 5u);
  EXPECT_EQ(header.first_seq, 1000u);
  EXPECT_EQ(header.base_lsn, 40960u);
  EXPECT_EQ(header.capacity_bytes, 61440u);
  EXPECT_EQ(header.prev_salt, 66u);
  EXPECT_EQ(header.prev_end_lsn, 40000u);
  EXPECT_EQ(state.mark, SegmentMark::kClosed);
  EXPECT_TRUE(state.is_first);
  EXPECT_EQ(state.end_lsn, 41000u);
  EXPECT_EQ(state.end_seq, 1010u);
  EXPECT_EQ(state.end_salt, 99u);
}

TEST(SegmentFormatTest, EveryFlippedBitIsFound) {
  const std::string block = Encode(SomeHeader(), SomeState());
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    std::string damaged = block;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const absl::Status status = Decode(damaged);
    ASSERT_TRUE(absl::IsDataLoss(status)) << bit;
    ASSERT_NE(status.message().find("the/file"), absl::string_view::npos);
  }
}

TEST(SegmentFormatTest, CutAndZeroBlocksAreDataLoss) {
  const std::string block = Encode(SomeHeader(), SomeState());
  EXPECT_TRUE(absl::IsDataLoss(Decode("")));
  EXPECT_TRUE(absl::IsDataLoss(Decode(block.substr(0, 4095))));
  EXPECT_TRUE(absl::IsDataLoss(Decode(std::string(kSegmentBlockBytes, '\0'))));
}

TEST(SegmentFormatTest, OtherMagicIsDataLossEvenWithARightChecksum) {
  for (size_t i = 0; i < 8; ++i) {
    std::string block = Encode(SomeHeader(), SomeState());
    block[i] ^= 0x20;
    Mend(&block);
    const absl::Status status = Decode(block);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_NE(status.message().find("magic"), absl::string_view::npos) << status;
  }
}

TEST(SegmentFormatTest, NewerVersionIsRefusedNamingFoundAndExpected) {
  std::string block = Encode(SomeHeader(), SomeState());
  block[8] = 2;
  Mend(&block);
  const absl::Status status = Decode(block);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("version 2"), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("version 1"), absl::string_view::npos) << status;
}

TEST(SegmentFormatTest, UnknownIncompatibleFeatureIsRefused) {
  std::string block = Encode(SomeHeader(), SomeState());
  block[12] = 4;
  Mend(&block);
  EXPECT_TRUE(absl::IsFailedPrecondition(Decode(block)));
}

TEST(SegmentFormatTest, UnknownCompatibleFeatureIsIgnored) {
  std::string block = Encode(SomeHeader(), SomeState());
  block[16] = 4;
  Mend(&block);
  EXPECT_EQ(Decode(block), absl::OkStatus());
}

TEST(SegmentFormatTest, ImpossibleFieldsAreDataLossEvenWithARightChecksum) {
  const auto with_header = [](auto change) {
    SegmentHeader header = SomeHeader();
    change(&header);
    return Decode(Encode(header, SegmentState{}));
  };
  EXPECT_EQ(with_header([](auto*) {}), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->base_lsn += 8; })));
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->base_lsn = uint64_t{1} << 62; })));
  EXPECT_TRUE(
      absl::IsDataLoss(with_header([](auto* h) { h->capacity_bytes = uint64_t{1} << 62; })));
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->capacity_bytes = 0; })));
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->capacity_bytes = 100; })));
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->prev_end_lsn = 50000; })));
  EXPECT_TRUE(absl::IsDataLoss(with_header([](auto* h) { h->first_seq = UINT64_MAX; })));
  const auto with_state = [](auto change) {
    SegmentState state = SomeState();
    change(&state);
    return Decode(Encode(SomeHeader(), state));
  };
  EXPECT_EQ(with_state([](auto*) {}), absl::OkStatus());
  EXPECT_EQ(with_state([](auto* s) { s->end_seq = kMaxSeq + 1; }), absl::OkStatus());
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->end_seq = kMaxSeq + 2; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->end_lsn = 40952; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->end_lsn = 102408; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->end_lsn = 41001; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->end_seq = 999; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { *s = {.end_salt = 1}; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->mark = SegmentMark::kSealed; })));
  EXPECT_TRUE(absl::IsDataLoss(with_state([](auto* s) { s->mark = SegmentMark{4}; })));
}

TEST(SegmentFormatTest, UnknownFlagsOfTheStateAreDataLoss) {
  for (int bit = 1; bit < 32; ++bit) {
    std::string block = Encode(SomeHeader(), SomeState());
    Store32(block.data() + 516, 1 | uint32_t{1} << bit);
    Mend(&block);
    EXPECT_TRUE(absl::IsDataLoss(Decode(block))) << bit;
  }
}

TEST(SegmentFormatTest, ReservedBytesMustBeZero) {
  for (const size_t offset : {20, 96, 507, 552, 1019, 1024, 4095}) {
    std::string block = Encode(SomeHeader(), SomeState());
    block[offset] = 1;
    Mend(&block);
    EXPECT_TRUE(absl::IsDataLoss(Decode(block))) << offset;
  }
}

TEST(SegmentFormatTest, StateOfAnotherSegmentIsRefused) {
  SegmentHeader other = SomeHeader();
  other.salt = 78;
  const std::string block = Encode(SomeHeader(), SomeState());
  const std::string foreign = Encode(other, SomeState());
  EXPECT_TRUE(Decode(block).ok());
  EXPECT_TRUE(absl::IsDataLoss(Decode(block.substr(0, 512) + foreign.substr(512))));
}

}  // namespace
}  // namespace emdb
