// MappableBytes: the contents of one file of a simulated file system, which can also be mapped as a
// ring.
//
// While it is mapped the bytes live in the mapped memory, and Read and Write use that. What changes
// the size ends that: the file goes on with a copy, the mapping on its own.

#ifndef EMDB_STORAGE_MAPPABLE_BYTES_H_
#define EMDB_STORAGE_MAPPABLE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/file.h"
#include "storage/posix_ring.h"
#include "storage/sparse_bytes.h"

namespace emdb {

// Thread-compatible; stores into a mapping need no synchronisation with it.
class MappableBytes {
 public:
  // Larger files are refused with EFBIG by those who use this, lest a wild offset takes all memory.
  static constexpr uint64_t kMaxSize = uint64_t{1} << 40;

  MappableBytes() = default;
  explicit MappableBytes(SparseBytes bytes) : bytes_(std::move(bytes)) {}

  uint64_t size() const { return ring_ == nullptr ? bytes_.size() : ring_->size(); }
  bool is_mapped() const { return ring_ != nullptr; }

  // As SparseBytes.
  size_t Read(uint64_t offset, size_t size, char* out) const;
  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);

  // Gives the file `size` bytes and maps it. `path` is for messages.
  absl::StatusOr<std::unique_ptr<RingMapping>> Map(std::string_view path, size_t size);

  // The bytes as they are now. Cheap unless mapped.
  SparseBytes Snapshot() const;

 private:
  void LeaveRing();

  SparseBytes bytes_;  // unused while there is a ring
  std::shared_ptr<RingMemory> ring_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_MAPPABLE_BYTES_H_
