// AlignedBuffer: memory for files that were opened with OpenOptions::direct. Movable, not shared.

#ifndef EMDB_STORAGE_ALIGNED_BUFFER_H_
#define EMDB_STORAGE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "storage/check.h"
#include "storage/file.h"

namespace emdb {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // `size` is rounded up to a multiple of kDirectAlignment. The bytes are not initialised.
  explicit AlignedBuffer(size_t size)
      : size_((size + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment),
        data_(static_cast<char*>(std::aligned_alloc(kDirectAlignment, size_))) {
    EMDB_CHECK(data_ != nullptr || size_ == 0);
  }

  char* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };

  size_t size_ = 0;
  std::unique_ptr<char, Free> data_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_ALIGNED_BUFFER_H_
