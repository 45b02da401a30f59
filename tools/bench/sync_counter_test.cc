#include "tools/bench/sync_counter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

class SyncCounterTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (fd_ >= 0) close(fd_);
  }

  void Open(int flags) {
    fd_ = open((::testing::TempDir() + "/sync_counter").c_str(), O_RDWR | O_CREAT | flags, 0644);
    ASSERT_GE(fd_, 0);
    before_ = CountSyncs();
  }

  uint64_t Counted() const { return CountSyncs() - before_; }

  int fd_ = -1;
  uint64_t before_ = 0;
};

TEST_F(SyncCounterTest, PlainWritesAreNotSyncs) {
  Open(0);
  EXPECT_EQ(write(fd_, "x", 1), 1);
  EXPECT_EQ(pwrite(fd_, "x", 1, 0), 1);
  EXPECT_EQ(Counted(), 0);
}

TEST_F(SyncCounterTest, SyncCallsAreCounted) {
  Open(0);
  EXPECT_EQ(fsync(fd_), 0);
  EXPECT_EQ(fdatasync(fd_), 0);
  EXPECT_EQ(Counted(), 2);
}

TEST_F(SyncCounterTest, WritesToAFileOpenedForSynchronousWritesAreCounted) {
  Open(O_DSYNC);
  EXPECT_EQ(write(fd_, "x", 1), 1);
  EXPECT_EQ(pwrite(fd_, "x", 1, 0), 1);
  EXPECT_EQ(Counted(), 2);
}

TEST_F(SyncCounterTest, AReusedDescriptorIsJudgedByItsNewFlags) {
  Open(O_SYNC);
  close(fd_);
  Open(0);
  EXPECT_EQ(write(fd_, "x", 1), 1);
  EXPECT_EQ(Counted(), 0);
}

TEST_F(SyncCounterTest, SingleWritesMayBeSynchronous) {
  Open(0);
  char byte = 'x';
  const iovec part{&byte, 1};
  EXPECT_EQ(pwritev2(fd_, &part, 1, 0, RWF_DSYNC), 1);
  EXPECT_EQ(Counted(), 1);
  EXPECT_EQ(pwritev2(fd_, &part, 1, 0, 0), 1);
  EXPECT_EQ(Counted(), 1);
}

TEST_F(SyncCounterTest, SyncedMappingsAreCounted) {
  Open(0);
  ASSERT_EQ(ftruncate(fd_, 4096), 0);
  void* const map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_NE(map, MAP_FAILED);
  EXPECT_EQ(msync(map, 4096, MS_ASYNC), 0);
  EXPECT_EQ(Counted(), 0);
  EXPECT_EQ(msync(map, 4096, MS_SYNC), 0);
  EXPECT_EQ(Counted(), 1);
  munmap(map, 4096);
}

TEST_F(SyncCounterTest, TheReplacedFunctionsStillReportErrors) {
  EXPECT_EQ(fdatasync(-1), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(open("/nowhere/at/all", O_RDONLY), -1);
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace emdb::bench
