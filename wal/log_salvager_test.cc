// That the salvager says what a log lacks; what it finds is tested in kv/salvage_test.

#include "wal/log_salvager.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/coding.h"
#include "storage/fault_env.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

struct Salvaged {
  std::vector<uint64_t> seqs;
  std::vector<LostPiece> lost;
};

Salvaged Read(const DiskImage& image, uint64_t from_seq = 0) {
  FaultEnv env(image);
  Salvaged salvaged;
  const auto salvager = LogSalvager::Open(&env, kPath);
  EXPECT_OK(salvager.status());
  const auto extent = (*salvager)->Read(
      from_seq,
      [&](const SalvagedRecord& record) {
        EXPECT_EQ(record.bytes, TestRecord(record.seq));
        salvaged.seqs.push_back(record.seq);
        return absl::OkStatus();
      },
      &salvaged.lost);
  EXPECT_OK(extent.status());
  return salvaged;
}

// A log of five records that was closed, and in which the last one is damaged.
DiskImage ClosedLogWithoutItsLastRecord() {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 5);
  EXPECT_OK(wal->Close());
  DiskImage image = env.FullImage();
  // Which has a copy.
  image.files.erase("/d/log.buffer");
  SparseBytes& segment = image.files.at(kPath);
  segment.Write(segment.ToString().find(TestRecord(4)), "damage");
  return image;
}

TEST(LogSalvagerTest, RecordMissingAtTheEndOfAClosedLogIsListed) {
  const Salvaged salvaged = Read(ClosedLogWithoutItsLastRecord());
  EXPECT_THAT(salvaged.seqs, testing::ElementsAre(0, 1, 2, 3));
  ASSERT_EQ(salvaged.lost.size(), 1u);
  EXPECT_EQ(salvaged.lost[0].path, kPath);
  EXPECT_EQ(salvaged.lost[0].what,
            "log records with seq 4 to 4: they had been durable, and are missing");
}

TEST(LogSalvagerTest, RecordThatWasMadeVoidIsNotTakenFromTheFile) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env, FlushPolicy::OnEachWrite()));
  AppendRecords(wal.get(), 0, 2);
  // All of the record but the zeros it ends in, in a file of zeros.
  FaultRule rule = {.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; },
                    .count = 1};
  rule.short_write = true;
  env.AddRule(rule);
  EXPECT_FALSE(wal->Append(std::string(2000, 'x') + std::string(9000, '\0')).ok());
  const Salvaged salvaged = Read(env.FullImage());
  EXPECT_THAT(salvaged.seqs, testing::ElementsAre(0, 1));
  EXPECT_TRUE(salvaged.lost.empty());
}

TEST(LogSalvagerTest, RecordThatNobodyNeedsIsNotListed) {
  EXPECT_TRUE(Read(ClosedLogWithoutItsLastRecord(), /*from_seq=*/5).lost.empty());
}

TEST(LogSalvagerTest, SearchAmongBytesThatLookLikeFramesEnds) {
  FaultEnv env;
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 0, 1);
  // In every 16 bytes the head of a record with seq 1, of 4 MiB.
  std::string head(16, '\0');
  Store32(head.data() + 4, 4 << 20);
  Store64(head.data() + 8, 1 << 8 | 16);
  std::string bytes;
  while (bytes.size() < 8 << 20) bytes += head;
  ASSERT_OK(wal->Append(bytes).status());
  AppendRecords(wal.get(), 2, 3);
  ASSERT_OK(wal->Rotate().status());
  AppendRecords(wal.get(), 3, 5);
  ASSERT_OK(wal->Close());
  DiskImage image = env.FullImage();
  image.files.erase("/d/log.buffer");
  for (auto& [path, contents] : image.files) {
    const size_t payload = contents.ToString().find(bytes);
    if (payload != std::string::npos) contents.Write(payload - 16, std::string(16, '\0'));
  }
  const Salvaged salvaged = Read(image);
  EXPECT_EQ(salvaged.seqs.front(), 0u);
  EXPECT_EQ(salvaged.seqs.back(), 4u);
  ASSERT_EQ(salvaged.lost.size(), 2u);
  EXPECT_NE(salvaged.lost[0].what.find("look like frames"), std::string::npos);
  EXPECT_EQ(salvaged.lost[1].what,
            "log records with seq 1 to 2: they had been durable, and are missing");
}

}  // namespace
}  // namespace emdb
