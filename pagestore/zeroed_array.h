// ZeroedArray: a fixed number of values that are all zero bytes at first, in memory that the system
// gives only as it is touched: what is made for the whole of a large cache costs an open nothing.

#ifndef EMDB_PAGESTORE_ZEROED_ARRAY_H_
#define EMDB_PAGESTORE_ZEROED_ARRAY_H_

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "storage/check.h"

namespace emdb {

template <typename T>
class ZeroedArray {
  // Zero bytes are a value, and nothing is to be done at the end.
  static_assert(std::is_trivially_destructible_v<T> && std::is_standard_layout_v<T>);

 public:
  explicit ZeroedArray(size_t size) : values_(static_cast<T*>(std::calloc(size, sizeof(T)))) {
    EMDB_CHECK(values_ != nullptr);
  }

  T& operator[](size_t i) { return values_.get()[i]; }
  // As a pointer's: the elements are no part of the array's constness.
  T& operator[](size_t i) const { return values_.get()[i]; }

 private:
  struct Free {
    void operator()(T* values) const { std::free(values); }
  };

  const std::unique_ptr<T, Free> values_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_ZEROED_ARRAY_H_
