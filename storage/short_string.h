// ShortString: bytes that are changed often and seldom many: up to 64 of them lie in the object
// itself, where a std::string takes memory from 16 on. Not movable, not thread safe.

#ifndef EMDB_STORAGE_SHORT_STRING_H_
#define EMDB_STORAGE_SHORT_STRING_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace emdb {

class ShortString {
 public:
  ShortString() = default;
  ShortString(const ShortString&) = delete;
  ShortString& operator=(const ShortString&) = delete;

  // Until the next change.
  std::string_view view() const { return {data_, size_}; }

  // `bytes` and `tail` are no part of it.
  void Assign(std::string_view bytes) { ReplaceTail(0, bytes); }
  // Keeps the first `kept` bytes, which are there, and puts `tail` behind them.
  void ReplaceTail(size_t kept, std::string_view tail) {
    const size_t size = kept + tail.size();
    if (size > capacity_) [[unlikely]]
      Grow(kept, size);
    if (!tail.empty()) std::memcpy(data_ + kept, tail.data(), tail.size());
    size_ = size;
  }

 private:
  void Grow(size_t kept, size_t size) {
    const size_t capacity = std::max(size, 2 * capacity_);
    std::unique_ptr<char[]> grown(new char[capacity]);
    std::memcpy(grown.get(), data_, kept);
    heap_ = std::move(grown);
    data_ = heap_.get();
    capacity_ = capacity;
  }

  std::array<char, 64> inline_;
  std::unique_ptr<char[]> heap_;
  char* data_ = inline_.data();
  size_t size_ = 0;
  size_t capacity_ = inline_.size();
};

}  // namespace emdb

#endif  // EMDB_STORAGE_SHORT_STRING_H_
