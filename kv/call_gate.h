// CallGate: lets calls in until it is shut, and tells when the last of them is out. Thread safe.

#ifndef EMDB_KV_CALL_GATE_H_
#define EMDB_KV_CALL_GATE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace emdb {

class CallGate {
 public:
  // A call that is inside until the Pass is destroyed; false if the gate was shut.
  class Pass {
   public:
    explicit Pass(CallGate* gate) : gate_(gate->Enter() ? gate : nullptr) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    CallGate* gate_;
  };

  CallGate() = default;
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  // Nobody gets in from now on. False if it was shut already.
  bool Shut() ABSL_LOCKS_EXCLUDED(mutex_);
  // True when all are out of a gate that is shut; false when `timeout` passed first.
  bool WaitUntilIdle(std::chrono::nanoseconds timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr uint64_t kShutBit = 1;
  static constexpr uint64_t kOneCall = 2;

  bool Enter();
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  void SetIdle() ABSL_LOCKS_EXCLUDED(mutex_);

  std::atomic<uint64_t> calls_{0};
  Mutex mutex_;
  CondVar changed_;
  // Set once, under the mutex, by the last to leave: whoever saw it may destroy the gate.
  bool is_idle_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace emdb

#endif  // EMDB_KV_CALL_GATE_H_
