// FileDescriptor: owns a descriptor of the operating system and closes it.

#ifndef EMDB_STORAGE_FILE_DESCRIPTOR_H_
#define EMDB_STORAGE_FILE_DESCRIPTOR_H_

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

}  // namespace emdb

#endif  // EMDB_STORAGE_FILE_DESCRIPTOR_H_
