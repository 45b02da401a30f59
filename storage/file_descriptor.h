// FileDescriptor: owns a descriptor of the operating system and closes it.

#ifndef EMDB_STORAGE_FILE_DESCRIPTOR_H_
#define EMDB_STORAGE_FILE_DESCRIPTOR_H_

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace emdb {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    // Who cares about errors of close() releases the descriptor and closes it himself.
    if (fd_ >= 0) ::close(fd_);
  }

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// The same file under a number behind those of the standard streams, which open(2) hands out where
// the process has closed them: whoever still prints would print into the file. Not valid, with
// errno, if there is none.
inline FileDescriptor AwayFromStandardStreams(FileDescriptor fd) {
  if (fd.get() > STDERR_FILENO || !fd.valid()) return fd;
  return FileDescriptor(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

}  // namespace emdb

#endif  // EMDB_STORAGE_FILE_DESCRIPTOR_H_
