// Damage to a log that was not closed: of the groups that were synced it may take away the last one
// only, however the records were written.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";
constexpr uint64_t kGroups = 5;

// The log in `image`, in which the place that holds `record` has one bit wrong.
DiskImage Damaged(const DiskImage& image, std::string_view record) {
  std::string contents = image.files.at(kPath).ToString();
  const size_t offset = contents.find(record);
  EXPECT_NE(offset, std::string::npos);
  contents[offset + record.size() / 2] ^= 1;
  DiskImage damaged = image;
  damaged.files[kPath] = SparseBytes(contents);
  return damaged;
}

// Expects that a log of kGroups groups of one record, `record(n)` with seq n, is refused if one of
// them is damaged, and ends in front of the last one if that is. Its active segment holds them all.
template <typename Record>
void ExpectLastGroupAloneIsLost(const DiskImage& killed, const WalOptions& like,
                                const Record& record) {
  for (uint64_t n = 0; n < kGroups; ++n) {
    FaultEnv env(Damaged(killed, record(n)));
    WalOptions options = like;
    options.env = &env;
    const absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(kPath, options);
    if (n + 1 < kGroups) {
      EXPECT_TRUE(absl::IsDataLoss(wal.status())) << n << ": " << wal.status();
    } else {
      ASSERT_OK(wal.status());
      EXPECT_EQ((*wal)->next_seq(), n);
      EXPECT_EQ(ReadLog(wal->get()).size(), n);
    }
  }
}

// Takes the append buffer, which would make up for damage, from the log.
DiskImage WithoutBuffer(DiskImage image) {
  image.files["/d/log.buffer"] = SparseBytes();
  return image;
}

TEST(WalWitnessTest, SmallRecords) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < kGroups; ++n) {
    AppendRecords(wal.get(), n, n + 1);
    ASSERT_OK(wal->Flush());
  }
  ExpectLastGroupAloneIsLost(WithoutBuffer(env.FullImage()), SmallLog(&env),
                             [](uint64_t n) { return TestRecord(n); });
}

// They do not go through the append buffer.
TEST(WalWitnessTest, LargeRecords) {
  for (const bool has_buffer : {true, false}) {
    FaultEnv env;
    WalOptions options = SmallLog(&env);
    options.segment_size_bytes = 1 << 20;
    const auto wal = OpenLog(kPath, options);
    const auto record = [](uint64_t n) { return std::string(40'000, static_cast<char>('a' + n)); };
    for (uint64_t n = 0; n < kGroups; ++n) {
      ASSERT_EQ(*wal->Append(record(n)), n);
      ASSERT_OK(wal->Flush());
    }
    const DiskImage killed = env.FullImage();
    ExpectLastGroupAloneIsLost(has_buffer ? killed : WithoutBuffer(killed), options, record);
  }
}

// Written by TruncateBefore, synced later.
TEST(WalWitnessTest, RecordsThatATruncationWrote) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n < kGroups; ++n) {
    AppendRecords(wal.get(), n, n + 1);
    ASSERT_OK(wal->TruncateBefore(0));
    ASSERT_OK(wal->Flush());
  }
  ExpectLastGroupAloneIsLost(WithoutBuffer(env.FullImage()), SmallLog(&env),
                             [](uint64_t n) { return TestRecord(n); });
}

// The tail is in the next segment, or nowhere, when they are written.
TEST(WalWitnessTest, RecordsInFrontOfARotationThatWasCutOff) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  for (uint64_t n = 0; n + 1 < kGroups; ++n) {
    AppendRecords(wal.get(), n, n + 1);
    ASSERT_OK(wal->Flush());
  }
  AppendRecords(wal.get(), kGroups - 1, kGroups);
  env.AddRule({.matches = [](FileOp op, std::string_view) { return op == FileOp::kRename; }});
  ASSERT_OK(wal->Rotate().status());
  EXPECT_FALSE(wal->Flush().ok());
  ExpectLastGroupAloneIsLost(WithoutBuffer(env.FullImage()), SmallLog(&env),
                             [](uint64_t n) { return TestRecord(n); });
}

}  // namespace
}  // namespace emdb
