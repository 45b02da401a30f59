// DbLife: what the Snapshots and Iterators of a Db share with it, since they may outlive it:
// whether it is closed, and how many of them are alive. DbPin: what one of them holds. Thread safe.
//
// A pin keeps memory, and the pages of its generation from being used again while the Db is open;
// it keeps neither the Db nor the lock on its files.

#ifndef EMDB_KV_DB_LIFE_H_
#define EMDB_KV_DB_LIFE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "kv/read_state.h"
#include "pagestore/page_store.h"

namespace emdb {

class DbLife {
 public:
  static absl::Status Closed() { return absl::FailedPreconditionError("the database is closed"); }

  // Relaxed: it guards no memory, and who was told that Close has returned sees what it stored.
  bool is_closed() const { return is_closed_.load(std::memory_order_relaxed); }
  void SetClosed() { is_closed_.store(true, std::memory_order_relaxed); }

  // Snapshots and iterators that are alive.
  uint64_t pins() const {
    return state_pins_.load(std::memory_order_relaxed) +
           store_pins_.load(std::memory_order_relaxed);
  }
  // Those of them that read from the page store on their own: iterators. Acquire: what the ones
  // that are gone did with it is over.
  uint64_t store_pins() const { return store_pins_.load(std::memory_order_acquire); }

 private:
  friend class DbPin;

  // Read at each step of an iterator, hence not beside what changes.
  alignas(64) std::atomic<bool> is_closed_{false};
  alignas(64) std::atomic<uint64_t> state_pins_{0};  // those that keep no page store
  std::atomic<uint64_t> store_pins_{0};
};

class DbPin {
 public:
  // Without a `store` the state is kept, but can be read only while the Db is open.
  DbPin(std::shared_ptr<DbLife> life, std::shared_ptr<PageStore> store,
        std::shared_ptr<const ReadState> state)
      : life_(std::move(life)), store_(std::move(store)), state_(std::move(state)) {
    counter().fetch_add(1, std::memory_order_relaxed);
  }
  ~DbPin() {
    // Release: see store_pins.
    counter().fetch_sub(1, std::memory_order_release);
  }
  DbPin(const DbPin&) = delete;
  DbPin& operator=(const DbPin&) = delete;

  const DbLife& life() const { return *life_; }
  const ReadState* state() const { return state_.get(); }

 private:
  std::atomic<uint64_t>& counter() const {
    return store_ != nullptr ? life_->store_pins_ : life_->state_pins_;
  }

  const std::shared_ptr<DbLife> life_;
  const std::shared_ptr<PageStore> store_;
  const std::shared_ptr<const ReadState> state_;
};

}  // namespace emdb

#endif  // EMDB_KV_DB_LIFE_H_
