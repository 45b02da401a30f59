// Rings: one range of a file mapped twice in a row. See RingMapping in file.h.

#ifndef EMDB_STORAGE_POSIX_RING_H_
#define EMDB_STORAGE_POSIX_RING_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/file.h"
#include "storage/file_descriptor.h"

namespace emdb {

// Env::MapRing on a file of the operating system.
absl::StatusOr<std::unique_ptr<RingMapping>> MapPosixRing(std::string_view path, size_t size);

// Memory for the rings of simulated file systems: can be mapped any number of times. Read and Write
// go through the kernel, so that they are no data races with stores into a mapping; they see or
// make any mixture with those.
class RingMemory {
 public:
  // `size` zeros; `name` is for messages.
  static absl::StatusOr<std::shared_ptr<RingMemory>> Create(std::string_view name, size_t size);

  absl::StatusOr<std::unique_ptr<RingMapping>> Map() const;
  size_t size() const { return size_; }

  // The next range at or behind `offset` that may hold anything but zeros; none: all are zeros.
  struct Range {
    uint64_t offset;
    size_t size;
  };
  std::optional<Range> NextUsed(uint64_t offset) const;

  // The range is within the memory.
  void Read(uint64_t offset, size_t size, char* out) const;
  void Write(uint64_t offset, std::string_view data);

 private:
  RingMemory(std::string name, FileDescriptor fd, size_t size)
      : name_(std::move(name)), fd_(std::move(fd)), size_(size) {}

  const std::string name_;
  const FileDescriptor fd_;
  const size_t size_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_POSIX_RING_H_
