// SharedMemory: an object that this process shares with the children it forks, so that what a child
// writes outlives it.

#ifndef EMDB_KV_SHARED_MEMORY_H_
#define EMDB_KV_SHARED_MEMORY_H_

#include <sys/mman.h>

#include <new>
#include <type_traits>

#include "storage/check.h"

namespace emdb {

template <typename T>
class SharedMemory {
 public:
  static_assert(std::is_trivially_destructible_v<T>, "a killed child destroys nothing");

  SharedMemory() {
    void* const memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EMDB_CHECK(memory != MAP_FAILED);
    object_ = new (memory) T;
  }
  ~SharedMemory() { munmap(object_, sizeof(T)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  T& operator*() { return *object_; }
  T* operator->() { return object_; }

 private:
  T* object_;
};

}  // namespace emdb

#endif  // EMDB_KV_SHARED_MEMORY_H_
