#include "tools/bench/sync_counter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdarg>

namespace emdb::bench {
namespace {

// The C library's functions have no object that could hold these; constant-initialized, so that
// they can be used before main.
constinit std::atomic<uint64_t> sync_count{0};
constexpr int kMaxTrackedFd = 4096;
// Which descriptors were opened for synchronous writing.
constinit std::array<std::atomic<bool>, kMaxTrackedFd> is_synchronous{};

void CountSync() { sync_count.fetch_add(1, std::memory_order_relaxed); }

void CountWrite(int fd) {
  if (fd < 0 || fd >= kMaxTrackedFd) return;
  if (is_synchronous[fd].load(std::memory_order_relaxed)) [[unlikely]]
    CountSync();
}

int TrackOpen(int fd, int flags) {
  if (fd < 0 || fd >= kMaxTrackedFd) return fd;
  // O_SYNC contains the bit of O_DSYNC.
  is_synchronous[fd].store((flags & O_DSYNC) != 0, std::memory_order_relaxed);
  return fd;
}

int OpenAt(int directory, const char* path, int flags, mode_t mode) {
  return TrackOpen(static_cast<int>(syscall(SYS_openat, directory, path, flags, mode)), flags);
}

// The offset of a 64-bit system call is one register; its high half is for 32-bit kernels.
ssize_t WriteVector(int fd, const iovec* parts, int count, off_t offset, int flags) {
  if ((flags & (RWF_DSYNC | RWF_SYNC)) != 0) {
    CountSync();
  } else {
    CountWrite(fd);
  }
  return syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
}

}  // namespace

uint64_t CountSyncs() { return sync_count.load(std::memory_order_relaxed); }

}  // namespace emdb::bench

using emdb::bench::CountSync;
using emdb::bench::CountWrite;
using emdb::bench::OpenAt;
using emdb::bench::WriteVector;

// Declared with a name of ours and the symbol of the C library: its headers may define the real
// name as an inline function or a macro.
#define EMDB_REPLACES(symbol) __asm__(symbol) __attribute__((visibility("default"), used))

extern "C" {

int EmdbFsync(int fd) EMDB_REPLACES("fsync");
int EmdbFdatasync(int fd) EMDB_REPLACES("fdatasync");
int EmdbSyncfs(int fd) EMDB_REPLACES("syncfs");
int EmdbMsync(void* address, size_t size, int flags) EMDB_REPLACES("msync");
int EmdbOpen(const char* path, int flags, ...) EMDB_REPLACES("open");
int EmdbOpen64(const char* path, int flags, ...) EMDB_REPLACES("open64");
int EmdbOpenat(int directory, const char* path, int flags, ...) EMDB_REPLACES("openat");
ssize_t EmdbWrite(int fd, const void* data, size_t size) EMDB_REPLACES("write");
ssize_t EmdbPwrite(int fd, const void* data, size_t size, off_t offset) EMDB_REPLACES("pwrite");
ssize_t EmdbPwrite64(int fd, const void* data, size_t size, off_t offset) EMDB_REPLACES("pwrite64");
ssize_t EmdbWritev(int fd, const iovec* parts, int count) EMDB_REPLACES("writev");
ssize_t EmdbPwritev(int fd, const iovec* parts, int count, off_t offset) EMDB_REPLACES("pwritev");
ssize_t EmdbPwritev64(int fd, const iovec* parts, int count, off_t offset)
    EMDB_REPLACES("pwritev64");
ssize_t EmdbPwritev2(int fd, const iovec* parts, int count, off_t offset, int flags)
    EMDB_REPLACES("pwritev2");
ssize_t EmdbPwritev64v2(int fd, const iovec* parts, int count, off_t offset, int flags)
    EMDB_REPLACES("pwritev64v2");

int EmdbFsync(int fd) {
  CountSync();
  return static_cast<int>(syscall(SYS_fsync, fd));
}

int EmdbFdatasync(int fd) {
  CountSync();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int EmdbSyncfs(int fd) {
  CountSync();
  return static_cast<int>(syscall(SYS_syncfs, fd));
}

int EmdbMsync(void* address, size_t size, int flags) {
  if ((flags & MS_SYNC) != 0) CountSync();
  return static_cast<int>(syscall(SYS_msync, address, size, flags));
}

int EmdbOpen(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return OpenAt(AT_FDCWD, path, flags, mode);
}

int EmdbOpen64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return OpenAt(AT_FDCWD, path, flags, mode);
}

int EmdbOpenat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return OpenAt(directory, path, flags, mode);
}

ssize_t EmdbWrite(int fd, const void* data, size_t size) {
  CountWrite(fd);
  return syscall(SYS_write, fd, data, size);
}

ssize_t EmdbPwrite(int fd, const void* data, size_t size, off_t offset) {
  CountWrite(fd);
  return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t EmdbPwrite64(int fd, const void* data, size_t size, off_t offset) {
  return EmdbPwrite(fd, data, size, offset);
}

ssize_t EmdbWritev(int fd, const iovec* parts, int count) {
  CountWrite(fd);
  return syscall(SYS_writev, fd, parts, count);
}

ssize_t EmdbPwritev(int fd, const iovec* parts, int count, off_t offset) {
  return WriteVector(fd, parts, count, offset, 0);
}

ssize_t EmdbPwritev64(int fd, const iovec* parts, int count, off_t offset) {
  return WriteVector(fd, parts, count, offset, 0);
}

ssize_t EmdbPwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return WriteVector(fd, parts, count, offset, flags);
}

ssize_t EmdbPwritev64v2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return WriteVector(fd, parts, count, offset, flags);
}

}  // extern "C"
