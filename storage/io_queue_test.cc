#include "storage/io_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "storage/file.h"
#include "storage/file_descriptor.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

FileDescriptor OpenFor(const std::string& path, int flags) {
  FileDescriptor fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  EXPECT_TRUE(fd.valid()) << path << " " << errno;
  return fd;
}

class IoQueueTest : public testing::Test {
 protected:
  IoQueueTest() : queue_(IoQueue::Create()) {}

  void SetUp() override {
    if (queue_ == nullptr) GTEST_SKIP() << "no io_uring here";
  }
  std::vector<int64_t> Write(const FileDescriptor& fd, absl::Span<const WriteRequest> requests) {
    std::vector<int64_t> results(requests.size(), 0);
    EXPECT_TRUE(queue_->Write(fd.get(), requests, absl::MakeSpan(results)));
    return results;
  }

  const TempDirectory directory_;
  const std::unique_ptr<IoQueue> queue_;
};

// More than are under way at a time, from the end to the beginning, of many lengths; twice, so that
// the queue is used again.
TEST_F(IoQueueTest, WritesEachPieceToItsPlace) {
  const FileDescriptor fd = OpenFor(directory_.Path("f"), O_RDWR | O_CREAT);
  constexpr size_t kPieces = 1000;
  for (const char first : {'a', 'A'}) {
    std::vector<std::string> pieces;
    std::string expected;
    for (size_t i = 0; i < kPieces; ++i) {
      pieces.emplace_back(1 + i * 37 % 100, static_cast<char>(first + i % 26));
      expected += pieces.back();
    }
    std::vector<WriteRequest> requests;
    std::vector<int64_t> sizes;
    uint64_t end = expected.size();
    for (size_t i = kPieces; i-- > 0;) {
      end -= pieces[i].size();
      requests.push_back({end, pieces[i]});
      sizes.push_back(static_cast<int64_t>(pieces[i].size()));
    }
    EXPECT_EQ(Write(fd, requests), sizes);
    std::string found(expected.size() + 1, '?');
    ASSERT_EQ(::pread(fd.get(), found.data(), found.size(), 0),
              static_cast<ssize_t>(expected.size()));
    found.pop_back();
    EXPECT_EQ(found, expected);
  }
}

TEST_F(IoQueueTest, ReadsEachPieceFromItsPlace) {
  const FileDescriptor fd = OpenFor(directory_.Path("f"), O_RDWR | O_CREAT);
  std::string contents;
  for (int i = 0; i < 10'000; ++i) contents += static_cast<char>('a' + i * i % 26);
  ASSERT_EQ(::pwrite(fd.get(), contents.data(), contents.size(), 0),
            static_cast<ssize_t>(contents.size()));
  constexpr size_t kPieces = 300;
  std::vector<std::string> pieces;
  for (size_t i = 0; i < kPieces; ++i) pieces.emplace_back(1 + i % 50, '?');
  std::vector<ReadRequest> requests;
  for (size_t i = 0; i < kPieces; ++i) {
    requests.push_back({i * 33, pieces[i].size(), pieces[i].data()});
  }
  // Two that meet the end of the file.
  requests[7].offset = contents.size() - 2;
  requests[299].offset = contents.size() + 5;
  std::vector<int64_t> results(kPieces, 0);
  ASSERT_TRUE(queue_->Read(fd.get(), requests, absl::MakeSpan(results)));
  for (size_t i = 0; i < kPieces; ++i) {
    const std::string expected = requests[i].offset < contents.size()
                                     ? contents.substr(requests[i].offset, pieces[i].size())
                                     : std::string();
    EXPECT_EQ(results[i], static_cast<int64_t>(expected.size())) << i;
    EXPECT_EQ(pieces[i].substr(0, expected.size()), expected) << i;
  }
}

TEST_F(IoQueueTest, NothingToWriteIsDoneAtOnce) {
  const FileDescriptor fd = OpenFor(directory_.Path("f"), O_RDWR | O_CREAT);
  EXPECT_TRUE(Write(fd, {}).empty());
}

TEST_F(IoQueueTest, EachPieceHasItsError) {
  const std::vector<WriteRequest> requests(200, WriteRequest{0, "bytes"});
  const FileDescriptor full = OpenFor("/dev/full", O_RDWR);
  EXPECT_EQ(Write(full, requests), std::vector<int64_t>(200, -ENOSPC));
  const FileDescriptor read_only = OpenFor(directory_.Path("f"), O_RDONLY | O_CREAT);
  EXPECT_EQ(Write(read_only, requests), std::vector<int64_t>(200, -EBADF));
  // And it goes on.
  const FileDescriptor null = OpenFor("/dev/null", O_RDWR);
  EXPECT_EQ(Write(null, requests), std::vector<int64_t>(200, 5));
}

TEST_F(IoQueueTest, StandsAwayFromTheStandardStreams) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(STDOUT_FILENO);
    const std::unique_ptr<IoQueue> queue = IoQueue::Create();
    if (queue == nullptr) ::_exit(1);
    // Nothing is open there.
    ::_exit(::write(STDOUT_FILENO, "text", 4) < 0 && errno == EBADF ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace emdb
