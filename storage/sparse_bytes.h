// SparseBytes: the contents of a file in memory. Chunks that hold only zeros take no memory, and
// copies share their chunks until one of them writes, so a copy of a file costs 8 bytes for each 4
// KiB of it.
//
// Thread-compatible, like a std::string: copies may be used by different threads.

#ifndef EMDB_STORAGE_SPARSE_BYTES_H_
#define EMDB_STORAGE_SPARSE_BYTES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

namespace emdb {

class SparseBytes {
 public:
  SparseBytes() = default;
  explicit SparseBytes(std::string_view contents) { Write(0, contents); }

  uint64_t size() const { return size_; }

  // Copies up to `size` bytes at `offset`; returns how many there were.
  size_t Read(uint64_t offset, size_t size, char* out) const;
  std::string Read(uint64_t offset, size_t size) const;
  std::string ToString() const { return Read(0, static_cast<size_t>(size_)); }

  // Calls visit(offset, data) for pieces, in order, that hold all that is not zero; each is at most
  // 4096 bytes at a multiple of that.
  void ForEachPiece(absl::FunctionRef<void(uint64_t offset, std::string_view data)> visit) const;

  // Makes the contents longer if needed; a gap reads as zeros.
  void Write(uint64_t offset, std::string_view data);
  // New bytes are zeros.
  void Resize(uint64_t size);

  friend bool operator==(const SparseBytes& a, const SparseBytes& b);

 private:
  static constexpr size_t kChunkBytes = 4096;

  struct Chunk {
    std::atomic<uint32_t> references{1};
    char bytes[kChunkBytes] = {};
  };

  // A counted reference; null stands for zeros. Not std::shared_ptr, whose use_count() does not
  // order what another owner did before it let go, so that writing in place after it would be a
  // race.
  class ChunkRef {
   public:
    ChunkRef() = default;
    ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) {
      // Relaxed: `other` keeps the chunk alive.
      if (chunk_ != nullptr) chunk_->references.fetch_add(1, std::memory_order_relaxed);
    }
    ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
    ChunkRef& operator=(ChunkRef other) noexcept {
      std::swap(chunk_, other.chunk_);
      return *this;
    }
    ~ChunkRef();

    const char* bytes() const { return chunk_ == nullptr ? nullptr : chunk_->bytes; }
    // The bytes for writing, after copying them if they are shared.
    char* MutableBytes();

   private:
    Chunk* chunk_ = nullptr;
  };

  uint64_t size_ = 0;
  std::vector<ChunkRef> chunks_;  // may end before size_: the rest is zeros
};

}  // namespace emdb

#endif  // EMDB_STORAGE_SPARSE_BYTES_H_
