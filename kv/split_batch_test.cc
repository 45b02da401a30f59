#include "kv/split_batch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kv/batch_format.h"

namespace emdb {
namespace {

struct Log {
  std::vector<std::string> records;
  size_t fails_at = SIZE_MAX;

  absl::StatusOr<uint64_t> Append(std::string_view batch, size_t max_record_bytes) {
    return AppendInParts(batch, max_record_bytes,
                         [this](std::string_view record) -> absl::StatusOr<uint64_t> {
                           if (records.size() == fails_at)
                             return absl::ResourceExhaustedError("full");
                           records.emplace_back(record);
                           return records.size() - 1;
                         });
  }

  // The batches that reading the log gives.
  std::vector<std::string> Read() const {
    std::vector<std::string> batches;
    BatchJoiner joiner;
    for (uint64_t seq = 0; seq < records.size(); ++seq) {
      const absl::StatusOr<std::optional<JoinedBatch>> batch = joiner.Add(seq, records[seq]);
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (batch->has_value()) batches.emplace_back((*batch)->bytes);
    }
    return batches;
  }
};

std::string Batch(size_t size) {
  std::string batch(size, 'b');
  batch[0] = static_cast<char>(batch_format::kBatchVersion);
  return batch;
}

TEST(SplitBatchTest, ABatchThatFitsIsOneRecordAsItStands) {
  Log log;
  EXPECT_EQ(*log.Append(Batch(100), 100), 0u);
  EXPECT_EQ(log.records, std::vector<std::string>{Batch(100)});
}

TEST(SplitBatchTest, LargerOnesComeBackWhole) {
  for (const size_t size : {size_t{101}, size_t{150}, size_t{198}}) {
    Log log;
    ASSERT_TRUE(log.Append(Batch(50), 100).ok());
    const absl::StatusOr<uint64_t> seq = log.Append(Batch(size), 100);
    ASSERT_TRUE(seq.ok());
    EXPECT_EQ(*seq, log.records.size() - 1);
    ASSERT_TRUE(log.Append(Batch(60), 100).ok());
    for (const std::string& record : log.records) EXPECT_LE(record.size(), 100u);
    EXPECT_EQ(log.Read(), (std::vector<std::string>{Batch(50), Batch(size), Batch(60)})) << size;
  }
}

TEST(SplitBatchTest, AFirstPartOfAWriteThatFailedMeansNothing) {
  for (const size_t next : {size_t{10}, size_t{180}}) {
    Log log;
    log.fails_at = 1;
    EXPECT_FALSE(log.Append(Batch(190), 100).ok());
    ASSERT_EQ(log.records.size(), 1u);
    log.fails_at = SIZE_MAX;
    ASSERT_TRUE(log.Append(Batch(next), 100).ok());
    EXPECT_EQ(log.Read(), std::vector<std::string>{Batch(next)});
  }
}

TEST(SplitBatchTest, ABatchTellsTheSeqOfItsFirstPart) {
  Log log;
  ASSERT_TRUE(log.Append(Batch(150), 100).ok());
  BatchJoiner joiner;
  EXPECT_FALSE(joiner.Add(7, log.records[0])->has_value());
  EXPECT_EQ((*joiner.Add(8, log.records[1]))->first_seq, 7u);
  EXPECT_EQ((*joiner.Add(9, Batch(10)))->first_seq, 9u);
}

TEST(SplitBatchTest, ASecondPartWithoutItsFirstIsDataLoss) {
  Log log;
  ASSERT_TRUE(log.Append(Batch(150), 100).ok());
  BatchJoiner joiner;
  EXPECT_EQ(joiner.Add(0, log.records.back()).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(joiner.Add(0, log.records.front()).ok());
  ASSERT_TRUE(joiner.Add(1, Batch(10)).ok());
  EXPECT_EQ(joiner.Add(2, log.records.back()).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace emdb
