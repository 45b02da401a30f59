// ThreadOrdinal: a small number for each living thread, to pick the thread's own slot in an array.

#ifndef EMDB_STORAGE_THREAD_ORDINAL_H_
#define EMDB_STORAGE_THREAD_ORDINAL_H_

#include <cstddef>
#include <cstdint>

namespace emdb {

inline constexpr size_t kNoThreadOrdinal = SIZE_MAX;

// The number of the calling thread: the smallest that no living thread had when this one first
// asked, and its own until it ends. What a thread did under a number happens before what the next
// one does under it. kNoThreadOrdinal in destructors that run after the number was given back at
// the thread's end.
size_t ThreadOrdinal();

namespace thread_ordinal_internal {

inline constexpr size_t kUnassigned = kNoThreadOrdinal - 1;
// Without a destructor, so that it can still be asked after the number was given back.
extern constinit thread_local size_t ordinal;
size_t Assign();

}  // namespace thread_ordinal_internal

// In the header: reads ask several times each.
inline size_t ThreadOrdinal() {
  const size_t ordinal = thread_ordinal_internal::ordinal;
  if (ordinal == thread_ordinal_internal::kUnassigned) [[unlikely]]
    return thread_ordinal_internal::Assign();
  return ordinal;
}

}  // namespace emdb

#endif  // EMDB_STORAGE_THREAD_ORDINAL_H_
