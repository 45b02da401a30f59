#include "wal/futex.h"

#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace emdb {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "the kernel sees a plain word");

void FutexWait(const std::atomic<uint32_t>* word, uint32_t expected, uint64_t timeout_nanos) {
  timespec timeout = {};
  timeout.tv_sec = static_cast<time_t>(timeout_nanos / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(timeout_nanos % 1'000'000'000);
  // The result tells a wake from a timeout, a signal and a changed word; callers look at their own
  // state instead.
  ::syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
            timeout_nanos == kNoTimeout ? nullptr : &timeout, nullptr, 0);
}

void FutexWake(const std::atomic<uint32_t>* word, int count) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

void UsePreciseTimeouts() {
  constexpr unsigned long kSlackNanos = 1000;
  // Fails only where the kernel lacks it; timeouts are then less precise.
  ::prctl(PR_SET_TIMERSLACK, kSlackNanos, 0, 0, 0);
}

}  // namespace emdb
