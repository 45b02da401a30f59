// That a sync of ours is a sync of the kernel's: no power cut can be had in a test, so the calls
// are counted. This file's fsync and fdatasync stand in front of the C library's.

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "storage/posix_env.h"
#include "storage/temp_directory.h"

namespace {

std::atomic<int> fsyncs{0};
std::atomic<int> fdatasyncs{0};

}  // namespace

extern "C" int fsync(int fd) {
  ++fsyncs;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int fdatasync(int fd) {  // NOLINT: the C library's header has a reserved name
  ++fdatasyncs;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace emdb {
namespace {

TEST(PosixSyncTest, SyncDataAsksTheKernel) {
  const TempDirectory directory;
  const auto file =
      *PosixEnv()->OpenFile(directory.path() + "/file", {.write = true, .create = true});
  ASSERT_EQ(file->WriteAt(0, "bytes"), absl::OkStatus());
  const int before = fdatasyncs;
  ASSERT_EQ(file->SyncData(), absl::OkStatus());
  EXPECT_EQ(fdatasyncs, before + 1);
}

TEST(PosixSyncTest, SyncOfADirectoryAsksTheKernel) {
  const TempDirectory path;
  const auto directory = *PosixEnv()->OpenDirectory(path.path());
  const int before = fsyncs;
  ASSERT_EQ(directory->Sync(), absl::OkStatus());
  EXPECT_EQ(fsyncs, before + 1);
}

}  // namespace
}  // namespace emdb
