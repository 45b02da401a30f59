// NoNewThreads: while it lives, no thread can be started in this process, for tests. Those that run
// already are not disturbed.
//
// It asks for a stack that no address space has room for, so what fails is what fails in the field:
// pthread_create, with EAGAIN. One at a time.

#ifndef EMDB_STORAGE_NO_NEW_THREADS_H_
#define EMDB_STORAGE_NO_NEW_THREADS_H_

#include <pthread.h>

#include <cstddef>

#include "storage/check.h"

namespace emdb {

class NoNewThreads {
 public:
  NoNewThreads() {
    pthread_attr_t attributes;
    EMDB_CHECK(::pthread_getattr_default_np(&attributes) == 0);
    EMDB_CHECK(::pthread_attr_getstacksize(&attributes, &stack_bytes_before_) == 0);
    EMDB_CHECK(::pthread_attr_destroy(&attributes) == 0);
    SetStackBytes(kImpossibleStackBytes);
  }
  ~NoNewThreads() { SetStackBytes(stack_bytes_before_); }
  NoNewThreads(const NoNewThreads&) = delete;
  NoNewThreads& operator=(const NoNewThreads&) = delete;

 private:
  static constexpr size_t kImpossibleStackBytes = size_t{1} << 60;

  static void SetStackBytes(size_t bytes) {
    pthread_attr_t attributes;
    EMDB_CHECK(::pthread_getattr_default_np(&attributes) == 0);
    EMDB_CHECK(::pthread_attr_setstacksize(&attributes, bytes) == 0);
    EMDB_CHECK(::pthread_setattr_default_np(&attributes) == 0);
    EMDB_CHECK(::pthread_attr_destroy(&attributes) == 0);
  }

  size_t stack_bytes_before_ = 0;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_NO_NEW_THREADS_H_
