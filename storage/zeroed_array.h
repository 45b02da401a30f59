// ZeroedArray: a fixed number of values that are all zero bytes at first, in memory that is taken
// only as it is touched (fresh_memory.h).

#ifndef EMDB_STORAGE_ZEROED_ARRAY_H_
#define EMDB_STORAGE_ZEROED_ARRAY_H_

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/check.h"
#include "storage/fresh_memory.h"

namespace emdb {

template <typename T>
class ZeroedArray {
  // Zero bytes are a value, and nothing is to be done at the end.
  static_assert(std::is_trivially_destructible_v<T> && std::is_standard_layout_v<T>);

 public:
  // Ends the process if there are no addresses for it.
  explicit ZeroedArray(size_t size) : memory_(Map(size)) {}

  T& operator[](size_t i) { return values()[i]; }
  // As a pointer's: the elements are no part of the array's constness.
  T& operator[](size_t i) const { return values()[i]; }

 private:
  static FreshMemory Map(size_t size) {
    absl::StatusOr<FreshMemory> memory =
        FreshMemory::Map(std::max(size, size_t{1}) * sizeof(T), "memory for an array");
    EMDB_CHECK(memory.ok());
    return *std::move(memory);
  }
  T* values() const { return reinterpret_cast<T*>(memory_.data()); }

  FreshMemory memory_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_ZEROED_ARRAY_H_
