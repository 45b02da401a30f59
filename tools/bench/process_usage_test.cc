#include "tools/bench/process_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "storage/temp_directory.h"

namespace emdb::bench {
namespace {

TEST(ProcessUsageTest, ThreadsThatRunAreBusyAndThoseThatWaitAreNot) {
  // The caller does not count; a thread of a sanitizer may, now and then.
  while (CountBusyThreads() > 0) std::this_thread::yield();
  std::atomic<bool> may_end = false;
  std::atomic<bool> is_there = false;
  std::thread running([&] {
    is_there = true;
    while (!may_end) continue;
  });
  while (!is_there) std::this_thread::yield();
  EXPECT_GE(CountBusyThreads(), 1);
  may_end = true;
  running.join();

  std::thread waiting([&may_end] { may_end.wait(true); });
  // At some time it has come to where it waits.
  while (CountBusyThreads() > 0) std::this_thread::yield();
  may_end = false;
  may_end.notify_one();
  waiting.join();
}

TEST(ProcessUsageTest, TheDeviceCountsWhatIsWrittenAndSynced) {
  const TempDirectory directory;
  const absl::StatusOr<uint64_t> before = DeviceBytesWritten(directory.path());
  if (absl::IsNotFound(before.status())) GTEST_SKIP() << before.status();
  ASSERT_TRUE(before.ok()) << before.status();
  constexpr uint64_t kBytes = 3 << 20;
  const int fd = open(directory.Path("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  const std::string bytes(kBytes, 'x');
  ASSERT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(fdatasync(fd), 0);
  close(fd);
  const absl::StatusOr<uint64_t> after = DeviceBytesWritten(directory.path());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_GE(*after - *before, kBytes);
}

TEST(ProcessUsageTest, NoDeviceCountsWhatIsInMemory) {
  EXPECT_TRUE(absl::IsNotFound(DeviceBytesWritten("/proc").status()));
  EXPECT_FALSE(DeviceBytesWritten("/no/such/directory").ok());
}

}  // namespace
}  // namespace emdb::bench
