#include "pagestore/write_behind.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "pagestore/page_file.h"
#include "storage/aligned_buffer.h"
#include "storage/fault_env.h"
#include "storage/no_new_threads.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;
constexpr size_t kBufferBytes = 4 * kPageSize;

class WriteBehindTest : public testing::Test {
 protected:
  WriteBehindTest() : file_(Open(), kPageSize, StoreId{}) {}

  std::unique_ptr<File> Open() {
    absl::StatusOr<std::unique_ptr<File>> file =
        OpenStoreFile(&env_, "pages", {.write = true, .create = true});
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  static absl::Status WriteFilled(WriteBehind* behind, PageId first, char byte, size_t bytes) {
    std::memset(behind->buffer(), byte, bytes);
    return behind->Write({{first, static_cast<uint32_t>(bytes / kPageSize)}});
  }
  std::string Read(PageRun run) {
    AlignedBuffer buffer(size_t{run.count} * kPageSize);
    EXPECT_EQ(file_.ReadRun(run, buffer.data()), absl::OkStatus());
    return std::string(buffer.data(), buffer.size());
  }

  FaultEnv env_;
  PageFile file_;
};

TEST_F(WriteBehindTest, WritesEachRunToItsPlace) {
  WriteBehind behind(&file_, kBufferBytes);
  // More than there are buffers.
  for (int i = 0; i < 20; ++i) {
    const size_t pages = static_cast<size_t>(i % 4) + 1;
    ASSERT_EQ(WriteFilled(&behind, 4 * i, static_cast<char>('a' + i), pages * kPageSize),
              absl::OkStatus());
  }
  ASSERT_EQ(behind.Finish(), absl::OkStatus());
  for (uint32_t i = 0; i < 20; ++i) {
    const uint32_t pages = i % 4 + 1;
    EXPECT_EQ(Read({4 * i, pages}), std::string(pages * kPageSize, static_cast<char>('a' + i)));
  }
}

TEST_F(WriteBehindTest, WritesTheRunsOfABufferToTheirPlaces) {
  WriteBehind behind(&file_, kBufferBytes);
  for (uint32_t page = 0; page < 4; ++page) {
    std::memset(behind.buffer() + page * kPageSize, static_cast<char>('a' + page), kPageSize);
  }
  ASSERT_EQ(behind.Write({{9, 1}, {2, 2}, {5, 1}}), absl::OkStatus());
  ASSERT_EQ(behind.Finish(), absl::OkStatus());
  EXPECT_EQ(Read({9, 1}), std::string(kPageSize, 'a'));
  EXPECT_EQ(Read({2, 2}), std::string(kPageSize, 'b') + std::string(kPageSize, 'c'));
  EXPECT_EQ(Read({5, 1}), std::string(kPageSize, 'd'));
}

TEST_F(WriteBehindTest, WhileTheDiskIsWantedABufferIsWrittenInPieces) {
  constexpr uint32_t kPiecePages = WriteBehind::kPieceBytes / kPageSize;
  constexpr size_t kLargeBuffer = 4 * WriteBehind::kPieceBytes;
  // Before the first two pieces, and not before the third.
  std::atomic<int> asked = 0;
  WriteBehind behind(&file_, kLargeBuffer, [&asked] { return ++asked <= 2; });
  std::string expected;
  for (uint32_t page = 0; page < 4 * kPiecePages; ++page) {
    expected += std::string(kPageSize, static_cast<char>('a' + page % 26));
  }
  std::memcpy(behind.buffer(), expected.data(), expected.size());
  // The second run is in three pieces.
  ASSERT_EQ(behind.Write({{1000, kPiecePages - 1}, {2000, 3 * kPiecePages}, {10, 1}}),
            absl::OkStatus());
  ASSERT_EQ(behind.Finish(), absl::OkStatus());
  EXPECT_EQ(asked, 3);
  std::vector<std::pair<uint64_t, uint64_t>> writes;
  for (const FaultEnv::TraceEntry& entry : env_.Trace()) {
    if (entry.op == FileOp::kWrite) {
      writes.emplace_back(entry.offset / kPageSize, entry.size / kPageSize);
    }
  }
  const std::vector<std::pair<uint64_t, uint64_t>> pieces = {
      {1000, kPiecePages - 1},
      {2000, 1},
      {2001, kPiecePages},
      {2001 + kPiecePages, 2 * kPiecePages - 1},
      {10, 1}};
  EXPECT_EQ(writes, pieces);
  EXPECT_EQ(Read({1000, kPiecePages - 1}) + Read({2000, 3 * kPiecePages}) + Read({10, 1}),
            expected);
}

TEST_F(WriteBehindTest, AnErrorOfAPieceEndsTheWriting) {
  WriteBehind behind(&file_, 2 * WriteBehind::kPieceBytes, [] { return true; });
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kWrite; };
  rule.count = 1;
  env_.AddRule(rule);
  WriteFilled(&behind, 0, 'a', 2 * WriteBehind::kPieceBytes).IgnoreError();
  EXPECT_FALSE(behind.Finish().ok());
  for (const FaultEnv::TraceEntry& entry : env_.Trace()) {
    EXPECT_TRUE(entry.op != FileOp::kWrite || !entry.ok) << entry.offset;
  }
}

TEST_F(WriteBehindTest, FinishWithoutWritesIsOk) {
  WriteBehind behind(&file_, kBufferBytes);
  EXPECT_EQ(behind.Finish(), absl::OkStatus());
}

TEST_F(WriteBehindTest, TheDestructorWaits) {
  {
    WriteBehind behind(&file_, kBufferBytes);
    ASSERT_EQ(WriteFilled(&behind, 0, 'x', kBufferBytes), absl::OkStatus());
  }
  EXPECT_EQ(Read({0, 4}), std::string(kBufferBytes, 'x'));
}

TEST_F(WriteBehindTest, WithoutAThreadTheCallerWrites) {
  WriteBehind behind(&file_, kBufferBytes);
  {
    const NoNewThreads none;
    ASSERT_EQ(WriteFilled(&behind, 0, 'a', kBufferBytes), absl::OkStatus());
    EXPECT_EQ(Read({0, 4}), std::string(kBufferBytes, 'a'));
    ASSERT_EQ(WriteFilled(&behind, 4, 'b', kBufferBytes), absl::OkStatus());
    ASSERT_EQ(behind.Finish(), absl::OkStatus());
  }
  // And goes on with one once there can be one.
  ASSERT_EQ(WriteFilled(&behind, 8, 'c', kBufferBytes), absl::OkStatus());
  ASSERT_EQ(behind.Finish(), absl::OkStatus());
  EXPECT_EQ(Read({4, 4}), std::string(kBufferBytes, 'b'));
  EXPECT_EQ(Read({8, 4}), std::string(kBufferBytes, 'c'));
}

TEST_F(WriteBehindTest, WithoutAThreadTheFirstErrorEndsTheWritingToo) {
  const NoNewThreads none;
  WriteBehind behind(&file_, kBufferBytes);
  FaultRule rule;
  rule.count = 1;
  env_.AddRule(rule);
  const absl::Status first = WriteFilled(&behind, 0, 'a', kBufferBytes);
  EXPECT_FALSE(first.ok());
  EXPECT_EQ(WriteFilled(&behind, 0, 'b', kBufferBytes), first);
  EXPECT_EQ(behind.Finish(), first);
}

TEST_F(WriteBehindTest, TheFirstErrorIsReportedAndEndsTheWriting) {
  WriteBehind behind(&file_, kBufferBytes);
  ASSERT_EQ(WriteFilled(&behind, 0, 'a', kBufferBytes), absl::OkStatus());
  ASSERT_EQ(behind.Finish(), absl::OkStatus());
  FaultRule rule;
  rule.count = 1;
  env_.AddRule(rule);
  // Whether this Write already knows is a matter of time.
  WriteFilled(&behind, 4, 'b', kBufferBytes).IgnoreError();
  const absl::Status first = behind.Finish();
  EXPECT_FALSE(first.ok());
  EXPECT_EQ(WriteFilled(&behind, 0, 'c', kBufferBytes), first);
  EXPECT_EQ(behind.Finish(), first);
  EXPECT_EQ(Read({0, 4}), std::string(kBufferBytes, 'a'));
}

}  // namespace
}  // namespace emdb
