// What is found of a log before anything is changed, and what is redone of it.

#include "wal/log_finder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/log_files.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";

class LogFinderTest : public testing::Test {
 protected:
  // A log of three segments with records 0 to 29 and ten more that were not flushed.
  DiskImage ThreeSegments(bool closes) {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    for (uint64_t n = 0; n < 20; n += 10) {
      AppendRecords(wal.get(), n, n + 10);
      EXPECT_OK(wal->Rotate().status());
    }
    AppendRecords(wal.get(), 20, 30);
    EXPECT_OK(wal->Flush());
    AppendRecords(wal.get(), 30, 40);
    const DiskImage killed = env.FullImage();
    EXPECT_OK(wal->Close());
    return closes ? env.FullImage() : killed;
  }

  absl::StatusOr<FoundLog> Find(const DiskImage& image, const WalRedo* redo = nullptr) {
    env_ = std::make_unique<FaultEnv>(image);
    files_ = *LogFiles::Open(env_.get(), kPath);
    absl::StatusOr<FoundLog> found = FindLog(files_.get(), SmallLog(env_.get()), redo);
    EXPECT_EQ(env_->OperationCount(), 0u);
    return found;
  }

  // Redoes from `from_seq`, and expects records [from_seq, 40), each once and in order.
  void ExpectRedone(const DiskImage& image, uint64_t from_seq) {
    uint64_t next = from_seq;
    const auto visit = [&next](uint64_t seq, std::string_view record) {
      EXPECT_EQ(seq, next++);
      EXPECT_EQ(record, TestRecord(seq));
      return absl::OkStatus();
    };
    const WalRedo redo = {.from_seq = from_seq, .visit = visit};
    EXPECT_OK(Find(image, &redo).status());
    EXPECT_EQ(next, 40u);
  }

  std::unique_ptr<FaultEnv> env_;
  std::unique_ptr<LogFiles> files_;
};

TEST_F(LogFinderTest, NothingIsFoundWhereNothingIs) {
  EXPECT_TRUE(Find(DiskImage())->segments.empty());
  WalOptions options = SmallLog(env_.get());
  options.create_if_missing = false;
  EXPECT_TRUE(absl::IsNotFound(FindLog(files_.get(), options, nullptr).status()));
}

TEST_F(LogFinderTest, ClosedLogEndsWhereItsMarkSays) {
  const FoundLog found = *Find(ThreeSegments(true));
  EXPECT_TRUE(found.was_closed);
  EXPECT_EQ(found.segments.size(), 3u);
  EXPECT_EQ(found.next_seq, 40u);
  EXPECT_TRUE(found.tail.parts.empty());
}

TEST_F(LogFinderTest, KilledLogEndsInTheBuffer) {
  const FoundLog found = *Find(ThreeSegments(false));
  EXPECT_FALSE(found.was_closed);
  EXPECT_EQ(found.next_seq, 40u);
  EXPECT_GE(found.tail.records_from_buffer, 10u);
}

TEST_F(LogFinderTest, StaleClosedMarkIsNotBelievedAgainstTheBuffer) {
  const DiskImage closed = ThreeSegments(true);
  FaultEnv env(closed);
  const auto wal = OpenLog(kPath, SmallLog(&env));
  AppendRecords(wal.get(), 40, 45);
  DiskImage image = env.FullImage();
  // The sector of the state is as it was.
  image.files[kPath].Write(512, closed.files.at(kPath).Read(512, 512));
  const FoundLog found = *Find(image);
  EXPECT_FALSE(found.was_closed);
  EXPECT_EQ(found.next_seq, 45u);
  EXPECT_EQ(found.tail.records_from_buffer, 5u);
}

TEST_F(LogFinderTest, RecordsAreRedoneFromAnySeqOnce) {
  for (const bool closes : {true, false}) {
    const DiskImage image = ThreeSegments(closes);
    for (uint64_t from_seq = 0; from_seq <= 40; ++from_seq) ExpectRedone(image, from_seq);
  }
}

TEST_F(LogFinderTest, SegmentsInFrontOfTheFirstRecordAreNotRead) {
  const DiskImage image = ThreeSegments(true);
  uint64_t bytes_read = 0;
  env_ = std::make_unique<FaultEnv>(image);
  env_->SetObserver([&bytes_read](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kRead) bytes_read += entry.size;
  });
  files_ = *LogFiles::Open(env_.get(), kPath);
  const auto visit = [](uint64_t, std::string_view) { return absl::OkStatus(); };
  const WalRedo redo = {.from_seq = 40, .visit = visit};
  EXPECT_OK(FindLog(files_.get(), SmallLog(env_.get()), &redo).status());
  EXPECT_LE(bytes_read, 4 * 4096u);
}

TEST_F(LogFinderTest, LogThatDoesNotReachToTheFirstRecordIsOutOfRange) {
  FaultEnv env(ThreeSegments(true));
  { EXPECT_OK(OpenLog(kPath, SmallLog(&env))->TruncateBefore(10)); }
  const DiskImage image = env.FullImage();
  const auto visit = [](uint64_t, std::string_view) {
    ADD_FAILURE() << "nothing is to be visited";
    return absl::OkStatus();
  };
  for (const uint64_t from_seq : {0, 9, 41, 1000}) {
    const WalRedo redo = {.from_seq = from_seq, .visit = visit};
    const absl::Status status = Find(image, &redo).status();
    EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
    EXPECT_NE(status.message().find(from_seq < 10 ? "seq 10" : "seq 40"), absl::string_view::npos)
        << status;
  }
  const WalRedo redo = {.from_seq = 1, .visit = visit};
  EXPECT_TRUE(absl::IsOutOfRange(Find(DiskImage(), &redo).status()));
}

TEST_F(LogFinderTest, ErrorOfTheVisitorEndsTheSearch) {
  for (const bool closes : {true, false}) {
    const DiskImage image = ThreeSegments(closes);
    for (const uint64_t last : {5, 15, 25, 39}) {
      uint64_t visited = 0;
      const auto visit = [&](uint64_t seq, std::string_view) {
        visited = seq;
        return seq == last ? absl::AbortedError("enough") : absl::OkStatus();
      };
      const WalRedo redo = {.from_seq = 0, .visit = visit};
      EXPECT_EQ(Find(image, &redo).status(), absl::AbortedError("enough"));
      EXPECT_EQ(visited, last);
    }
  }
}

// A crash between the renames of a rotation leaves the sealed name on the last segment.
TEST_F(LogFinderTest, SealedNameIsWitnessOfTheFirstRecord) {
  DiskImage image;
  {
    FaultEnv env;
    const auto wal = OpenLog(kPath, SmallLog(&env));
    AppendRecords(wal.get(), 0, 10);
    ASSERT_OK(wal->Flush());
    image = env.FullImage();
  }
  const std::string sealed_path = "/d/log.00000000000000000000";
  image.files[sealed_path] = image.files[kPath];
  image.files.erase(kPath);
  // The buffer would make up for the damage.
  image.files["/d/log.buffer"] = SparseBytes();
  EXPECT_EQ(Find(image)->next_seq, 10u);
  const std::string contents = image.files[sealed_path].ToString();
  const auto damage = [&](uint64_t n) {
    image.files[sealed_path] = SparseBytes(contents);
    image.files[sealed_path].Write(contents.find(TestRecord(n)), "x");
  };
  // One that may be torn for all that anybody knows.
  damage(5);
  EXPECT_EQ(Find(image)->next_seq, 5u);
  damage(0);
  const absl::Status status = Find(image).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find(sealed_path), absl::string_view::npos) << status;
}

TEST_F(LogFinderTest, SnapshotHoldsAllThatWasFound) {
  for (const bool closes : {true, false}) {
    const FoundLog found = *Find(ThreeSegments(closes));
    const LogSnapshot snapshot = SnapshotOf(*files_, found).value();
    uint64_t next = 0;
    EXPECT_OK(ReplaySnapshot(snapshot, 0, [&](uint64_t seq, std::string_view record) {
      EXPECT_EQ(seq, next++);
      EXPECT_EQ(record, TestRecord(seq));
      return absl::OkStatus();
    }));
    EXPECT_EQ(next, 40u);
  }
}

}  // namespace
}  // namespace emdb
