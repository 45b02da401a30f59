// FreshMemory: a range of addresses that holds zero bytes at first and takes memory from the system
// only as it is touched: what is made for the whole of a large cache or memtable costs an open
// nothing. (calloc promises the zeros, not the rest: once a process has freed much, it clears what
// it hands out again.)
//
// Movable. Thread-compatible.

#ifndef EMDB_STORAGE_FRESH_MEMORY_H_
#define EMDB_STORAGE_FRESH_MEMORY_H_

#include <cstddef>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace emdb {

class FreshMemory {
 public:
  static constexpr size_t kHugePageBytes = size_t{2} << 20;

  // ResourceExhausted if the system has no such range of addresses; `purpose` is for the message.
  static absl::StatusOr<FreshMemory> Map(size_t size, std::string_view purpose);
  FreshMemory(FreshMemory&& other) noexcept { *this = std::move(other); }
  FreshMemory& operator=(FreshMemory&& other) noexcept {
    std::swap(mapping_, other.mapping_);
    std::swap(mapping_size_, other.mapping_size_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~FreshMemory();

  // A multiple of a huge page's size, if it is at least one long; else of a page's.
  char* data() const { return data_; }
  size_t size() const { return size_; }

  // Asks for huge pages from `offset`, a multiple of one, to the end. Only advice: without them
  // everything works, a little slower (a random access into a large range takes half as long
  // again).
  void PreferHugePages(size_t offset);

 private:
  FreshMemory() = default;

  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FRESH_MEMORY_H_
