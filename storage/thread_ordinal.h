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

}  // namespace emdb

#endif  // EMDB_STORAGE_THREAD_ORDINAL_H_
