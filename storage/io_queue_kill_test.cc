// A process that is killed while an IoQueue writes: none of its writes may come when someone else
// has got the lock on the file, or it would overwrite what has been written since.
//
// A read may wait for such writes in the device's queue, and so find nothing amiss: that the lock
// is held as long as they last is shown by posix_env_test.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/aligned_buffer.h"
#include "storage/env.h"
#include "storage/io_queue.h"
#include "storage/posix_env.h"
#include "storage/temp_directory.h"

namespace emdb {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr size_t kPieces = 512;

// Writes `fill` all over the file, again and again, until it is killed.
[[noreturn]] void WriteUntilKilled(const std::string& path) {
  const auto lock = PosixEnv()->Lock(path, LockMode::kExclusive);
  const auto file = PosixEnv()->OpenFile(path, {.write = true, .direct = true});
  if (!lock.ok() || !file.ok()) ::_exit(1);
  AlignedBuffer piece(kPieceBytes);
  for (char fill = 'a';; fill = fill == 'z' ? 'a' : static_cast<char>(fill + 1)) {
    std::memset(piece.data(), fill, piece.size());
    std::vector<WriteRequest> requests;
    for (size_t i = 0; i < kPieces; ++i) {
      requests.push_back({i * kPieceBytes, std::string_view(piece.data(), piece.size())});
    }
    if (!(*file)->MultiWrite(requests).ok()) ::_exit(2);
  }
}

// The first byte of every 4 KiB.
std::string Sample(const File& file) {
  std::string sample;
  AlignedBuffer piece(kPieceBytes);
  for (size_t i = 0; i < kPieces; ++i) {
    EXPECT_TRUE(ReadFully(file, i * kPieceBytes, piece.size(), piece.data()).ok());
    for (size_t at = 0; at < piece.size(); at += 4096) sample += piece.data()[at];
  }
  return sample;
}

TEST(IoQueueKillTest, NoWriteIsUnderWayWhenTheLockIsGone) {
  if (IoQueue::Create() == nullptr) GTEST_SKIP() << "no io_uring here";
  const TempDirectory directory;
  const std::string path = directory.Path("f");
  const auto file = PosixEnv()->OpenFile(path, {.write = true, .create = true, .direct = true});
  if (!file.ok()) GTEST_SKIP() << "no O_DIRECT here";
  ASSERT_TRUE((*file)->Reserve(0, kPieces * kPieceBytes).ok());
  int kills_amid_a_round = 0;
  for (int i = 0; i < 6; ++i) {
    const pid_t child = ::fork();
    if (child == 0) WriteUntilKilled(path);
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 11 * i));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    absl::StatusOr<std::unique_ptr<FileLock>> lock = absl::FailedPreconditionError("not yet");
    while (!lock.ok()) lock = PosixEnv()->Lock(path, LockMode::kExclusive);
    const std::string at_once = Sample(**file);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(Sample(**file), at_once);
    kills_amid_a_round += at_once.find_first_not_of(at_once[0]) != std::string::npos ? 1 : 0;
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
  }
  // Or the test has shown nothing.
  EXPECT_GT(kills_amid_a_round, 0);
}

}  // namespace
}  // namespace emdb
