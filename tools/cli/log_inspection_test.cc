// verify and wal-dump on logs in which a batch stands in two parts.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/split_batch.h"
#include "tools/cli/cli_fixture.h"
#include "wal/wal.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Records that are larger come in two parts.
constexpr size_t kMaxRecordBytes = 32;
class LogInspectionTest : public CliTest {
 protected:
  void SetUp() override {
    // A store whose log is empty.
    LoadFruit();
    Out({"checkpoint", "STORE"});
    absl::StatusOr<std::unique_ptr<Wal>> log = Wal::Open(Wal::PathFor(store()));
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    first_seq_ = log_->next_seq();
  }

  void Append(std::string_view record) {
    const absl::StatusOr<uint64_t> seq = log_->Append(record);
    ASSERT_TRUE(seq.ok()) << seq.status();
  }

  // Puts `key` in a batch of two parts.
  void AppendTwoParts(std::string_view key) {
    WriteBatch batch;
    batch.Put(key, std::string(40, 'v'));
    batch.Delete("gone");
    const absl::StatusOr<uint64_t> seq =
        AppendInParts(batch.encoded(), kMaxRecordBytes,
                      [this](std::string_view record) { return log_->Append(record); });
    ASSERT_TRUE(seq.ok()) << seq.status();
  }

  std::string TakeSecondPart() {
    AppendTwoParts("large");
    std::string part;
    const auto take = [&part](uint64_t, std::string_view record) {
      part = record;
      return absl::OkStatus();
    };
    EXPECT_TRUE(log_->Replay(first_seq_ + 1, take).ok());
    return part;
  }

  void AppendFirstPart() {
    WriteBatch batch;
    batch.Put("never", std::string(40, 'v'));
    // The second one fails.
    bool is_first = true;
    const auto append = [&](std::string_view record) -> absl::StatusOr<uint64_t> {
      if (!is_first) return absl::ResourceExhaustedError("full");
      is_first = false;
      return log_->Append(record);
    };
    ASSERT_FALSE(AppendInParts(batch.encoded(), kMaxRecordBytes, append).ok());
  }

  void CloseLog() { ASSERT_TRUE(log_->Close().ok()); }

  std::string Seq(uint64_t records_before) const {
    return absl::StrCat(first_seq_ + records_before);
  }

  std::unique_ptr<Wal> log_;
  uint64_t first_seq_ = 0;
};

TEST_F(LogInspectionTest, ABatchInTwoPartsIsSound) {
  AppendTwoParts("large");
  CloseLog();
  EXPECT_THAT(Out({"verify", "STORE"}), HasSubstr("log:   ok, 1 records with 2 operations"));
  const std::string dump = Out({"wal-dump", "STORE", "--value-bytes=2"});
  EXPECT_THAT(dump, HasSubstr("\n" + Seq(0) + "\tfirst part\n" + Seq(1) +
                              "\tput\tlarge\tvv... (40 bytes)\n" + Seq(1) + "\tdelete\tgone\n"));
  EXPECT_EQ(Out({"count", "STORE"}), "5\n");
}

TEST_F(LogInspectionTest, AFirstPartAloneCountsAsNothing) {
  AppendFirstPart();
  WriteBatch small;
  small.Put("k", "v");
  Append(small.encoded());
  AppendFirstPart();
  CloseLog();
  EXPECT_THAT(Out({"verify", "STORE"}), HasSubstr("log:   ok, 1 records with 1 operations"));
  EXPECT_THAT(Out({"wal-dump", "STORE"}), HasSubstr("\n" + Seq(0) + "\tfirst part\n" + Seq(1) +
                                                    "\tput\tk\tv\n" + Seq(2) + "\tfirst part\n"));
  EXPECT_EQ(Out({"count", "STORE"}), "5\n");
}

TEST_F(LogInspectionTest, ADumpMayBeginBetweenTheParts) {
  AppendTwoParts("large");
  CloseLog();
  const std::string dump = Out({"wal-dump", "STORE", "--from=" + Seq(1), "--limit=1"});
  EXPECT_THAT(dump, HasSubstr("\n" + Seq(1) + "\tput\tlarge\tv"));
  EXPECT_THAT(dump, Not(HasSubstr("first part")));
}

TEST_F(LogInspectionTest, ALogMayBeginBetweenThePartsOfABatchThatIsInTheStoreFile) {
  const std::string second_part = TakeSecondPart();
  // As if the segment of the first part had been dropped, and the next one not yet.
  ASSERT_TRUE(log_->Truncate(first_seq_ - 1).ok());
  Append(second_part);
  CloseLog();
  EXPECT_EQ(Out({"count", "STORE"}), "4\n");
  EXPECT_THAT(Out({"verify", "STORE"}), HasSubstr("log:   ok, 0 records with 0 operations"));
  EXPECT_THAT(Out({"wal-dump", "STORE"}),
              HasSubstr(absl::StrCat("\n", first_seq_ - 1, "\tsecond part\n")));
}

TEST_F(LogInspectionTest, ASecondPartWithoutItsFirstIsCorruption) {
  const std::string second_part = TakeSecondPart();
  ASSERT_TRUE(log_->Truncate(first_seq_).ok());
  Append(second_part);
  Append(second_part);
  CloseLog();
  EXPECT_EQ(Run({"verify", "STORE"}).code, ExitCode::kCorruption);
  const Outcome dumped = Run({"wal-dump", "STORE"});
  EXPECT_EQ(dumped.code, ExitCode::kCorruption);
  EXPECT_THAT(dumped.err, HasSubstr("log record " + Seq(1)));
}

}  // namespace
}  // namespace emdb::cli
