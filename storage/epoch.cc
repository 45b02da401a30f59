#include "storage/epoch.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "storage/check.h"

namespace emdb {
namespace {

long Membarrier(int command) { return ::syscall(SYS_membarrier, command, 0, 0); }

// Registers this process for the barrier that Fence() uses. False where the kernel, or a sandbox,
// has none.
bool RegisterMembarrier() {
  static const bool registered = Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
  return registered;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EMDB_THREAD_SANITIZER 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define EMDB_THREAD_SANITIZER 1
#endif

}  // namespace

Epoch::Epoch() : readers_fence_(!RegisterMembarrier()), slots_(new Slot[kSlots]) {}

Epoch::~Epoch() {
  {
    MutexLock lock(&mutex_);
    EMDB_CHECK(OldestHeld() == UINT64_MAX);
  }
  // More than once: a callback may retire something.
  while (Reclaim() != 0) {
  }
}

void Epoch::FullFence() {
#if defined(EMDB_THREAD_SANITIZER)
  // ThreadSanitizer knows no fences. On the processors it runs on this is one, too.
  std::atomic<int> word{0};
  word.exchange(1, std::memory_order_seq_cst);
#else
  // Sequentially consistent: orders the store of a slot before the loads of shared pointers
  // (reader), or the unlinking before the loads of slots (reclaimer), so that at least one of the
  // two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

uint64_t Epoch::EnterOverflow() {
  MutexLock lock(&mutex_);
  // Relaxed: the mutex orders it, since epochs are given out under it.
  const uint64_t epoch = epoch_.load(std::memory_order_relaxed);
  ++overflow_held_[epoch];
  return kSlots + epoch;
}

void Epoch::LeaveOverflow(uint64_t epoch) {
  MutexLock lock(&mutex_);
  const auto held = overflow_held_.find(epoch);
  if (--held->second == 0) overflow_held_.erase(held);
}

void Epoch::Fence() const {
  if (readers_fence_) {
    FullFence();
    return;
  }
  // Every running thread of the process passes a full barrier before this returns: a guard either
  // stored its slot before it, and is seen, or loads its pointers after it, and sees what was
  // unlinked.
  EMDB_CHECK(Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0);
}

uint64_t Epoch::OldestHeld() {
  uint64_t oldest = overflow_held_.empty() ? UINT64_MAX : overflow_held_.begin()->first;
  for (size_t i = 0; i < kSlots; ++i) {
    // Acquire: pairs with the releases of Enter and Leave.
    const uint64_t epoch = slots_[i].epoch.load(std::memory_order_acquire);
    if (epoch != 0) oldest = std::min(oldest, epoch);
  }
  return oldest;
}

void Epoch::Retire(std::function<void()> destroy) {
  {
    MutexLock lock(&mutex_);
    // Release: see Enter.
    const uint64_t epoch = epoch_.fetch_add(1, std::memory_order_acq_rel);
    retired_.push_back({epoch, std::move(destroy)});
    if (retired_.size() < reclaim_at_) return;
  }
  Reclaim();
}

size_t Epoch::Reclaim() {
  std::vector<std::function<void()>> ready;
  {
    MutexLock lock(&mutex_);
    if (retired_.empty()) return 0;
    Fence();
    const uint64_t oldest = OldestHeld();
    while (!retired_.empty() && retired_.front().epoch < oldest) {
      ready.push_back(std::move(retired_.front().destroy));
      retired_.pop_front();
    }
    reclaim_at_ = retired_.size() + kRetiredPerReclaim;
    ++running_;
  }
  // Unlocked, because callbacks may retire again and take locks (invariant 3).
  for (const std::function<void()>& destroy : ready) destroy();
  ready.clear();

  MutexLock lock(&mutex_);
  if (--running_ == 0) idle_.SignalAll();
  return retired_.size();
}

void Epoch::Synchronize() {
  uint64_t target = 0;
  {
    MutexLock lock(&mutex_);
    target = epoch_.fetch_add(1, std::memory_order_acq_rel);
  }
  Fence();
  constexpr auto kLongestPause = std::chrono::milliseconds(1);
  std::chrono::nanoseconds pause = std::chrono::microseconds(1);
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (OldestHeld() > target) break;
    }
    // Polled, because readers tell nobody when they leave.
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(2 * pause, kLongestPause);
  }
  while (!RunRetiredUpTo(target)) {
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(2 * pause, kLongestPause);
  }
}

bool Epoch::RunRetiredUpTo(uint64_t target) {
  // More than once: a guard that was just being entered can hold a number from before, until it is
  // left.
  Reclaim();
  MutexLock lock(&mutex_);
  if (!retired_.empty() && retired_.front().epoch <= target) return false;
  while (running_ != 0) idle_.Wait(&mutex_);
  return true;
}

}  // namespace emdb
