// Waiting on a 32-bit word until another thread changes it: futex(2), between the threads of this
// process.
//
// std::atomic::wait has no timeout and wakes through a table shared with unrelated words, which
// costs spurious wakes.

#ifndef EMDB_WAL_FUTEX_H_
#define EMDB_WAL_FUTEX_H_

#include <atomic>
#include <cstdint>

namespace emdb {

inline constexpr uint64_t kNoTimeout = UINT64_MAX;

// Sleeps while *word is `expected`, for at most `timeout_nanos`. May return without reason: callers
// loop.
void FutexWait(const std::atomic<uint32_t>* word, uint32_t expected,
               uint64_t timeout_nanos = kNoTimeout);

// Wakes up to `count` threads that sleep on `word`; the caller has changed it before.
void FutexWake(const std::atomic<uint32_t>* word, int count);

// Lets timed waits of the calling thread end close to their time (Linux rounds them up by 50 us).
void UsePreciseTimeouts();

}  // namespace emdb

#endif  // EMDB_WAL_FUTEX_H_
