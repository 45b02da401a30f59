// PagePin: keeps one page readable in the cache's frame where it lies, or in a buffer of its own.
//
// Movable. The cache outlives it.

#ifndef EMDB_PAGESTORE_PAGE_PIN_H_
#define EMDB_PAGESTORE_PAGE_PIN_H_

#include <atomic>
#include <cstdint>
#include <utility>

#include "storage/aligned_buffer.h"

namespace emdb {

class PagePin {
 public:
  PagePin() = default;
  PagePin(PagePin&& other) noexcept { *this = std::move(other); }
  PagePin& operator=(PagePin&& other) noexcept {
    if (this == &other) return *this;
    Reset();
    data_ = std::exchange(other.data_, nullptr);
    pins_ = std::exchange(other.pins_, nullptr);
    buffer_ = std::move(other.buffer_);
    return *this;
  }
  ~PagePin() { Reset(); }

  // Null if nothing is pinned.
  const char* data() const { return data_; }
  void Reset() {
    // Release: our reads of the frame are done before it can get other bytes.
    if (pins_ != nullptr) pins_->fetch_sub(1, std::memory_order_release);
    pins_ = nullptr;
    data_ = nullptr;
    buffer_ = AlignedBuffer();
  }

 private:
  friend class PageCache;
  const char* data_ = nullptr;
  std::atomic<uint32_t>* pins_ = nullptr;  // of the frame; null: buffer_ holds the page
  AlignedBuffer buffer_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_PIN_H_
