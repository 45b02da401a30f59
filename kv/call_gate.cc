#include "kv/call_gate.h"

namespace emdb {

bool CallGate::Enter() {
  uint64_t calls = calls_.load(std::memory_order_relaxed);
  do {
    if ((calls & kShutBit) != 0) return false;
    // Acquire: what was done before the gate was made is seen inside.
  } while (!calls_.compare_exchange_weak(calls, calls + kOneCall, std::memory_order_acquire,
                                         std::memory_order_relaxed));
  return true;
}

void CallGate::Leave() {
  // Release: what the call did happens before what follows WaitUntilIdle.
  if (calls_.fetch_sub(kOneCall, std::memory_order_acq_rel) == kOneCall + kShutBit) SetIdle();
}

bool CallGate::Shut() {
  const uint64_t calls = calls_.fetch_or(kShutBit, std::memory_order_acq_rel);
  if ((calls & kShutBit) != 0) return false;
  if (calls == 0) SetIdle();
  return true;
}

void CallGate::SetIdle() {
  MutexLock lock(&mutex_);
  is_idle_ = true;
  // Under the mutex: the gate may be gone right behind it.
  changed_.SignalAll();
}

bool CallGate::WaitUntilIdle(std::chrono::nanoseconds timeout) {
  MutexLock lock(&mutex_);
  while (!is_idle_) {
    if (!changed_.WaitFor(&mutex_, timeout)) return is_idle_;
  }
  return true;
}

}  // namespace emdb
