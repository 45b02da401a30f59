// Epoch: lets readers use shared objects without a lock or a reference count, and lets writers know
// when no reader can still see what they took away. Readers write to a cache line of their own
// thread only.
//
//   EpochGuard guard(&epoch);            // reader: until the end of its scope stays valid
//   Version* v = current.load(acquire);  // what it loads from shared pointers
//
//   current.store(next, release);        // writer: take it out of reach first,
//   epoch.Retire([old] { delete old; }); // then have it destroyed when no reader can see it.
//
// Guards nest; they are short (no I/O while one is held, unless the caller accepts that nothing is
// reclaimed in the meantime). Source of the idea: K. Fraser, "Practical lock-freedom", 2004,
// section 5.2.3; the asymmetric fence (plain store by readers, membarrier(2) by the reclaimer) is
// that of liburcu.
//
// Thread safe. Invariants:
//  1. A slot holds 0 when its thread is outside, else the global epoch its outermost guard saw.
//  2. An object retired in epoch e is destroyed only when every slot holds 0 or a number above e.
//  3. Destroy callbacks run under no lock of this class: they may retire again, and take locks of
//     their own.

#ifndef EMDB_STORAGE_EPOCH_H_
#define EMDB_STORAGE_EPOCH_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"
#include "storage/thread_ordinal.h"

namespace emdb {

class Epoch {
 public:
  Epoch();
  // No guard may be held. Destroys all that is still retired.
  ~Epoch();
  Epoch(const Epoch&) = delete;
  Epoch& operator=(const Epoch&) = delete;

  // Runs `destroy` on some later Retire, Reclaim or Synchronize, when no guard that was held at
  // this call is left. What Retire itself runs it runs a number of them at a time, to share the
  // cost of looking at all threads.
  void Retire(std::function<void()> destroy) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs what can be run now; returns how many are still waiting.
  size_t Reclaim() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until every guard that was held at the call is gone, and all that was retired before has
  // been run, by whichever thread. Not under a guard of the calling thread, nor from a destroy
  // callback.
  void Synchronize() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class EpochGuard;

  // More threads than this at one time enter and leave through the mutex.
  static constexpr size_t kSlots = 256;
  static constexpr size_t kRetiredPerReclaim = 32;
  struct alignas(64) Slot {
    std::atomic<uint64_t> epoch{0};
    uint32_t depth = 0;  // of the owning thread only
  };
  struct Retired {
    uint64_t epoch;
    std::function<void()> destroy;
  };

  // Leave takes what Enter returned: the slot of the calling thread, or kSlots and above it the
  // epoch entered.
  uint64_t Enter() {
    const size_t ordinal = ThreadOrdinal();
    if (ordinal >= kSlots) [[unlikely]]
      return EnterOverflow();
    Slot& slot = slots_[ordinal];
    if (slot.depth++ == 0) {
      // Acquire: with a number above e comes all that was unlinked before e was given to a retired
      // object. Release: whoever reads this number knows, as with Leave's 0, that the thread's
      // guards before are gone.
      slot.epoch.store(epoch_.load(std::memory_order_acquire), std::memory_order_release);
      if (readers_fence_) [[unlikely]]
        FullFence();
      // The other half of Fence(), which makes the processor do in order what the compiler leaves
      // in order.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    return ordinal;
  }
  void Leave(uint64_t entered) {
    if (entered >= kSlots) [[unlikely]]
      return LeaveOverflow(entered - kSlots);
    Slot& slot = slots_[entered];
    // Release: all that was read under the guard was read before a reclaimer sees the 0.
    if (--slot.depth == 0) slot.epoch.store(0, std::memory_order_release);
  }
  uint64_t EnterOverflow() ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveOverflow(uint64_t epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  static void FullFence();
  // Makes what this thread unlinked before visible to every guard that a later OldestHeld does not
  // see.
  void Fence() const;
  // Runs what can be run now, and waits for those who run something. True if nothing that was
  // retired up to `target` is left.
  bool RunRetiredUpTo(uint64_t target) ABSL_LOCKS_EXCLUDED(mutex_);
  // The smallest epoch that a guard holds, UINT64_MAX if there is none.
  uint64_t OldestHeld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool readers_fence_;  // the kernel has no membarrier(2) for us
  const std::unique_ptr<Slot[]> slots_;
  std::atomic<uint64_t> epoch_{1};
  Mutex mutex_;
  CondVar idle_;
  std::map<uint64_t, size_t> overflow_held_ ABSL_GUARDED_BY(mutex_);  // guards by epoch
  std::deque<Retired> retired_ ABSL_GUARDED_BY(mutex_);               // by epoch, ascending
  size_t reclaim_at_ ABSL_GUARDED_BY(mutex_) = kRetiredPerReclaim;
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;  // calls that run callbacks just now
};

class EpochGuard {
 public:
  explicit EpochGuard(Epoch* epoch) : epoch_(epoch), entered_(epoch->Enter()) {}
  ~EpochGuard() { epoch_->Leave(entered_); }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  Epoch* const epoch_;
  const uint64_t entered_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_EPOCH_H_
