// Damage to the files of a closed log: opening and reading either give the right records or report
// an error.

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/coding.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/segment_format.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";
constexpr uint64_t kSeed = 7;

std::string Contents(const DiskImage& image, const std::string& path) {
  const SparseBytes& bytes = image.files.at(path);
  std::string contents(bytes.size(), '\0');
  bytes.Read(0, contents.size(), contents.data());
  return contents;
}

void SetContents(DiskImage* image, const std::string& path, const std::string& contents) {
  SparseBytes bytes;
  bytes.Write(0, contents);
  image->files[path] = bytes;
}

void ExpectOffsetAndAdvice(const absl::Status& status) {
  const absl::string_view text = status.message();
  EXPECT_NE(text.find(" at offset "), absl::string_view::npos) << status;
  const bool has_advice = text.find("; restore the log from a backup") != absl::string_view::npos ||
                          text.find("; bring the file back") != absl::string_view::npos ||
                          text.find("; remove the file that is a copy") != absl::string_view::npos;
  EXPECT_TRUE(has_advice) << status;
}

// A log with four segments, written in many groups, and how it was when it was killed instead of
// closed.
class WalDamageTest : public testing::Test {
 protected:
  static constexpr uint64_t kRecords = 120;

  WalDamageTest() {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    for (uint64_t n = 0; n < kRecords; n += 10) {
      AppendRecords(wal.get(), n, n + 10);
      EXPECT_OK(wal->Flush());
      const bool rotates = n % 30 == 20 && n + 10 < kRecords;
      EXPECT_OK(rotates ? wal->Rotate().status() : absl::OkStatus());
    }
    EXPECT_OK(wal->TruncateBefore(0));
    killed_ = env.FullImage();
    EXPECT_OK(wal->Close());
    closed_ = env.FullImage();
  }

  // Opens the log in `image` and redoes it: an error, with every file as it was, or OK and the
  // right records, then and later.
  absl::Status Check(const DiskImage& image) {
    FaultEnv env(image);
    std::map<uint64_t, std::string> records;
    const auto keep = [&](uint64_t seq, std::string_view record) {
      EXPECT_TRUE(records.emplace(seq, record).second) << seq;
      return absl::OkStatus();
    };
    absl::StatusOr<std::unique_ptr<Wal>> wal =
        Wal::Open(kPath, SmallLog(&env), {.from_seq = 0, .visit = keep});
    if (!wal.ok()) {
      EXPECT_TRUE(env.FullImage().files == image.files) << wal.status();
      EXPECT_EQ(env.OperationCount(), 0u) << wal.status();
      return wal.status();
    }
    EXPECT_EQ(records.size(), kRecords);
    for (const auto& [seq, record] : records) EXPECT_EQ(record, TestRecord(seq));
    EXPECT_EQ(ReadLog(wal->get()), records);
    return absl::OkStatus();
  }

  void ExpectError(const DiskImage& image, absl::StatusCode code = absl::StatusCode::kDataLoss) {
    const absl::Status status = Check(image);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(kPath), absl::string_view::npos) << status;
    if (code == absl::StatusCode::kDataLoss) ExpectOffsetAndAdvice(status);
  }

  DiskImage closed_;
  DiskImage killed_;
};

TEST_F(WalDamageTest, UndamagedLogIsRight) {
  EXPECT_OK(Check(closed_));
  EXPECT_OK(Check(killed_));
}

void FlipBit(DiskImage* image, const std::string& path, uint64_t bit) {
  SparseBytes& file = image->files.at(path);
  std::string byte = file.Read(bit / 8, 1);
  byte[0] ^= static_cast<char>(1 << bit % 8);
  file.Write(bit / 8, byte);
}

// In both sectors, and one or two of each byte of the zeros behind them, whose others are flipped
// by segment_format_test.
TEST_F(WalDamageTest, EachFlippedBitOfASegmentsHeaderIsFound) {
  const auto expect_found = [this](const DiskImage& whole, const std::string& path) {
    for (uint64_t bit = 0; bit < kSegmentBlockBytes * 8; bit += bit < 1024 * 8 ? 1 : 7) {
      DiskImage image = whole;
      FlipBit(&image, path, bit);
      const absl::Status status = Check(image);
      ASSERT_TRUE(absl::IsDataLoss(status)) << path << " bit " << bit << ": " << status;
      ASSERT_NE(status.message().find(path), absl::string_view::npos) << status;
      ExpectOffsetAndAdvice(status);
      ASSERT_FALSE(HasFailure()) << path << " bit " << bit;
    }
  };
  for (const auto& [path, bytes] : closed_.files) {
    if (path.ends_with("buffer")) continue;
    ASSERT_NO_FATAL_FAILURE(expect_found(closed_, path));
  }
  ASSERT_NO_FATAL_FAILURE(expect_found(killed_, kPath));
}

// The append buffer has no header: these are the frames that it alone has. After a kill a damaged
// one is where the log ends, which no power cut can be told from.
TEST(WalDamageOfBufferTest, EachFlippedBitOfWhatOnlyTheBufferHasEndsTheLogThere) {
  constexpr uint64_t kDurable = 10;
  constexpr uint64_t kAppended = 13;
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, kDurable);
  ASSERT_OK(wal->Flush());
  AppendRecords(wal.get(), kDurable, kAppended);
  const DiskImage killed = env.FullImage();
  const std::string contents = Contents(killed, "/d/log.buffer");
  const size_t begin = contents.find(TestRecord(kDurable)) - kFrameHeaderBytes;
  const size_t end = contents.find_last_not_of('\0');
  ASSERT_LT(begin, end);
  for (uint64_t bit = begin * 8; bit < (end + 1) * 8; ++bit) {
    DiskImage image = killed;
    FlipBit(&image, "/d/log.buffer", bit);
    FaultEnv after(image);
    const auto reopened = OpenLog(kPath, SmallLog(&after));
    ASSERT_NE(reopened, nullptr) << bit;
    ASSERT_GE(reopened->next_seq(), kDurable) << bit;
    ASSERT_LT(reopened->next_seq(), kAppended) << bit;
    ExpectRecords(reopened.get(), 0, reopened->next_seq());
    ASSERT_FALSE(testing::Test::HasFailure()) << bit;
  }
}

TEST_F(WalDamageTest, FlippedBitsAreNeverSilent) {
  std::cout << "seed " << kSeed << std::endl;
  std::mt19937_64 random(kSeed);
  int errors = 0;
  for (const auto& [path, bytes] : closed_.files) {
    const std::string contents = Contents(closed_, path);
    for (int i = 0; i < 250; ++i) {
      // Most of a file is not in use: every other flip where something is.
      const uint64_t range = i % 2 == 0 ? 1100 : 12'000;
      std::string damaged = contents;
      damaged[random() % range] ^= static_cast<char>(1 << random() % 8);
      DiskImage image = closed_;
      SetContents(&image, path, damaged);
      const absl::Status status = Check(image);
      ASSERT_FALSE(HasFailure()) << path << " flip " << i;
      if (!status.ok()) {
        ++errors;
        // A header's version is checked behind its checksum.
        ASSERT_TRUE(absl::IsDataLoss(status)) << status;
        ExpectOffsetAndAdvice(status);
      }
    }
  }
  EXPECT_GT(errors, 400);
}

TEST_F(WalDamageTest, WithoutRedoDamageInRecordsIsFoundByReading) {
  for (const std::string path : {"/d/log", "/d/log.00000000000000000030"}) {
    DiskImage image = closed_;
    std::string contents = Contents(image, path);
    contents[5000] ^= 1;
    SetContents(&image, path, contents);
    ExpectError(image);
    FaultEnv env(image);
    const auto wal = OpenLog(kPath, SmallLog(&env));
    ASSERT_NE(wal, nullptr);
    std::string all;
    EXPECT_TRUE(absl::IsDataLoss(wal->ReadAll(&all)));
  }
}

TEST_F(WalDamageTest, ZeroedSectorsAreNeverSilent) {
  for (const auto& [path, bytes] : closed_.files) {
    const std::string contents = Contents(closed_, path);
    for (size_t offset = 0; offset < 12'288; offset += 512) {
      for (const size_t size : {512, 4096}) {
        DiskImage image = closed_;
        std::string damaged = contents;
        damaged.replace(offset, size, size, '\0');
        SetContents(&image, path, damaged);
        Check(image).IgnoreError();
        ASSERT_FALSE(HasFailure()) << path << " at " << offset << ", " << size << " bytes";
      }
    }
  }
}

TEST_F(WalDamageTest, MissingSegmentIsFound) {
  for (const std::string name : {"/d/log", "/d/log.00000000000000000000",
                                 "/d/log.00000000000000000030", "/d/log.00000000000000000060"}) {
    DiskImage image = closed_;
    ASSERT_EQ(image.files.erase(name), 1u) << name;
    ExpectError(image);
  }
}

TEST_F(WalDamageTest, CutSegmentIsFound) {
  for (const auto& [path, bytes] : closed_.files) {
    if (path.ends_with("buffer")) continue;
    for (const size_t size : {0, 100, 4096, 8192, 65535}) {
      DiskImage image = closed_;
      SetContents(&image, path, Contents(closed_, path).substr(0, size));
      ExpectError(image);
    }
  }
}

TEST_F(WalDamageTest, SwappedAndCopiedSegmentsAreFound) {
  const std::string a = "/d/log.00000000000000000030";
  const std::string b = "/d/log.00000000000000000060";
  DiskImage image = closed_;
  std::swap(image.files[a], image.files[b]);
  ExpectError(image);
  image = closed_;
  image.files[a] = image.files[b];
  ExpectError(image);
  image = closed_;
  image.files[kPath] = image.files[b];
  ExpectError(image);
  image = closed_;
  image.files["/d/log.00000000000000000099"] = image.files[b];
  ExpectError(image);
}

TEST_F(WalDamageTest, SegmentOfAnotherLogIsFound) {
  FaultEnv env(99);
  { AppendRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 30); }
  DiskImage image = closed_;
  image.files["/d/log.00000000000000000000"] = env.FullImage().files.at(kPath);
  ExpectError(image, absl::StatusCode::kFailedPrecondition);
}

TEST_F(WalDamageTest, BufferOfAClosedLogIsNotNeeded) {
  DiskImage image = closed_;
  image.files.erase("/d/log.buffer");
  EXPECT_OK(Check(image));
  SetContents(&image, "/d/log.buffer", std::string(65536, 'x'));
  EXPECT_OK(Check(image));
  SetContents(&image, "/d/log.buffer", "short");
  EXPECT_OK(Check(image));
}

TEST_F(WalDamageTest, MissingBufferOfAKilledLogIsFound) {
  DiskImage image = killed_;
  image.files.erase("/d/log.buffer");
  ExpectError(image);
}

// Where record `n` starts in `contents`.
size_t OffsetOf(const std::string& contents, uint64_t n) { return contents.find(TestRecord(n)); }

// Every byte of the frames of a log that was killed, with no buffer to make up for it: what is
// known to have been durable is there, or an error is.
void DamageEachByte(const DiskImage& killed, uint64_t durable, uint64_t records) {
  DiskImage image = killed;
  SetContents(&image, "/d/log.buffer", "");
  const std::string contents = Contents(image, kPath);
  const size_t end = contents.find_last_not_of('\0');
  int errors = 0;
  for (size_t offset = 4096; offset <= end; offset += 3) {
    std::string damaged = contents;
    damaged[offset] ^= 0x10;
    SetContents(&image, kPath, damaged);
    FaultEnv env(image);
    const absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, SmallLog(&env));
    if (!wal.ok()) {
      ASSERT_TRUE(absl::IsDataLoss(wal.status())) << wal.status();
      ExpectOffsetAndAdvice(wal.status());
      ++errors;
      continue;
    }
    ASSERT_GE((*wal)->next_seq(), durable) << offset;
    ASSERT_LE((*wal)->next_seq(), records) << offset;
    ExpectRecords(wal->get(), 0, (*wal)->next_seq());
  }
  EXPECT_GT(errors, 0);
}

TEST_F(WalDamageTest, KilledLogLosesNothingThatIsWitnessed) {
  DamageEachByte(killed_, kRecords - 10, kRecords);
}

TEST_F(WalDamageTest, KilledLogThatHadBeenReopenedLosesNothingThatIsWitnessed) {
  FaultEnv env(closed_);
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = kRecords; n < kRecords + 30; n += 10) {
    AppendRecords(wal.get(), n, n + 10);
    ASSERT_OK(wal->Flush());
  }
  DamageEachByte(env.FullImage(), kRecords + 20, kRecords + 30);
}

TEST_F(WalDamageTest, DamageInFrontOfAWitnessRefusesTheOpen) {
  DiskImage image = killed_;
  // The buffer would make up for it.
  SetContents(&image, "/d/log.buffer", "");
  std::string contents = Contents(image, kPath);
  // 90 to 119 are in the active segment, in three groups; the last one is not witnessed.
  const size_t offset = OffsetOf(contents, 105);
  contents[offset + 3] ^= 1;
  SetContents(&image, kPath, contents);
  FaultEnv env(image);
  const absl::Status status = Wal::Open(kPath, SmallLog(&env)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("seq 105"), absl::string_view::npos) << status;
  EXPECT_EQ(env.OperationCount(), 0u);
}

TEST_F(WalDamageTest, BufferMakesUpForDamageAfterAKill) {
  DiskImage image = killed_;
  std::string contents = Contents(image, kPath);
  contents[OffsetOf(contents, 105) + 3] ^= 1;
  SetContents(&image, kPath, contents);
  EXPECT_OK(Check(image));
}

TEST_F(WalDamageTest, TornLastGroupIsCut) {
  DiskImage image = killed_;
  SetContents(&image, "/d/log.buffer", "");
  std::string contents = Contents(image, kPath);
  contents[OffsetOf(contents, 115) + 3] ^= 1;
  SetContents(&image, kPath, contents);
  FaultEnv env(image);
  const auto wal = OpenLog(kPath, SmallLog(&env));
  ASSERT_NE(wal, nullptr);
  EXPECT_GT(wal->recovery().bytes_cut, 0u);
  ExpectRecords(wal.get(), 0, 115);
  // What was behind the cut does not come back.
  AppendRecords(wal.get(), 115, 116);
  ASSERT_OK(wal->Flush());
  FaultEnv after_kill(env.FullImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after_kill)).get(), 0, 116);
}

// The head of a frame that is not there, in every 16 bytes: a record of half of `size` with `seq`.
std::string LikeFrames(size_t size, uint64_t seq) {
  std::string head(16, '\0');
  Store32(head.data() + 4, static_cast<uint32_t>(size / 2));
  Store64(head.data() + 8, seq << 8 | 16);
  std::string bytes;
  bytes.reserve(size);
  while (bytes.size() < size) bytes += head;
  return bytes;
}

// A log that was not closed, whose last record looks like frames and lost its first sector.
DiskImage TornRecordLikeFrames(size_t size) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  EXPECT_OK(wal->Append(LikeFrames(size, 1)).status());
  EXPECT_OK(wal->Flush());
  DiskImage image = env.FullImage();
  std::string contents = Contents(image, kPath);
  const size_t payload = contents.find(LikeFrames(1000, 1).substr(8, 8));
  contents.replace(payload - 24, 512, 512, '\0');
  SetContents(&image, kPath, contents);
  return image;
}

TEST(WalDamageOfLargeRecordTest, TailThatLooksLikeFramesIsCutSoon) {
  constexpr size_t kBytes = 8 << 20;
  FaultEnv env(TornRecordLikeFrames(kBytes));
  uint64_t bytes_read = 0;
  env.SetObserver([&](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kRead) bytes_read += entry.size;
  });
  ExpectRecords(OpenLog(kPath, SmallLog(&env)).get(), 0, 1);
  EXPECT_LE(bytes_read, 8 * kBytes);
}

TEST(WalDamageOfLargeRecordTest, AWitnessBehindWhatLooksLikeFramesIsFound) {
  FaultEnv env;
  WalOptions options = SmallLog(&env);
  options.segment_size_bytes = 4 << 20;
  const auto wal = OpenLog(kPath, options);
  AppendRecords(wal.get(), 0, 1);
  const std::string bytes = LikeFrames(1 << 20, 1);
  ASSERT_OK(wal->Append(bytes).status());
  ASSERT_OK(wal->Flush());
  // With these comes the witness.
  AppendRecords(wal.get(), 2, 3);
  ASSERT_OK(wal->Flush());
  DiskImage image = env.FullImage();
  std::string contents = Contents(image, kPath);
  contents.replace(contents.find(bytes.substr(8, 8)) - 24, 512, 512, '\0');
  SetContents(&image, kPath, contents);
  FaultEnv after(image);
  const absl::Status status = Wal::Open(kPath, SmallLog(&after)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("had been durable"), absl::string_view::npos) << status;
}

// A file that is used again holds what was once logged.
TEST(WalDamageOfLargeRecordTest, WhatLooksLikeFramesInARecycledSegmentHarmsNobody) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  ASSERT_OK(wal->Append(LikeFrames(40'000, 50)).status());
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 1, 2);
  ASSERT_OK(wal->Flush());
  ASSERT_OK(wal->TruncateBefore(1));
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 2, 3);
  ASSERT_OK(wal->Flush());
  ASSERT_GT(wal->stats().segments_recycled, 0u);
  FaultEnv after(env.FullImage());
  ExpectRecords(OpenLog(kPath, SmallLog(&after)).get(), 1, 3);
}

TEST(WalDamageOfLargeRecordTest, TailThatLooksLikeFewFramesIsCut) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  // Frames of another log, say.
  std::string bytes = LikeFrames(2 << 20, 1).substr(0, 16) + std::string(1 << 20, 'x');
  bytes += bytes;
  ASSERT_OK(wal->Append(bytes).status());
  ASSERT_OK(wal->Flush());
  DiskImage image = env.FullImage();
  std::string contents = Contents(image, kPath);
  contents.replace(contents.find(bytes) - 16, 16, 16, '\0');
  SetContents(&image, kPath, contents);
  FaultEnv after(image);
  ExpectRecords(OpenLog(kPath, SmallLog(&after)).get(), 0, 1);
}

}  // namespace
}  // namespace emdb
