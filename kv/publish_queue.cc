#include "kv/publish_queue.h"

#include <algorithm>

#include "storage/check.h"

namespace emdb {

bool PublishQueue::Publish(uint64_t seq, bool must_be_durable) {
  // Only the holder of the write lock adds to the queue, so an empty one stays empty, and whoever
  // emptied it has stored its visible_seq before (acquire).
  const bool is_next = !has_pending_.load(std::memory_order_acquire);
  if (!must_be_durable && is_next && !log_->failed()) {
    // Release: a reader that may see the write finds it in the memtable.
    visible_seq_.store(seq + 1, std::memory_order_release);
    return true;
  }
  MutexLock lock(&mutex_);
  pending_.push_back({seq, must_be_durable ? State::kWaitsForDisk : State::kUnsynced});
  if (must_be_durable) last_waiting_seq_ = seq;
  has_pending_.store(true, std::memory_order_relaxed);
  return false;
}

bool PublishQueue::IsLost(uint64_t seq) const {
  // In this order: behind a failure durable_seq is the last there will be.
  return log_->failed() && seq >= log_->durable_seq();
}

void PublishQueue::Advance() {
  if (pending_.empty()) return;
  // In this order, as in IsLost.
  const bool log_failed = log_->failed();
  const uint64_t durable_seq = log_->durable_seq();
  uint64_t visible_seq = visible_seq_.load(std::memory_order_relaxed);
  const uint64_t before = visible_seq;
  while (!pending_.empty()) {
    const Pending& first = pending_.front();
    const bool needs_disk =
        first.state == State::kWaitsForDisk || (log_failed && first.state == State::kUnsynced);
    if (needs_disk && first.seq >= durable_seq) break;
    visible_seq = first.seq + 1;
    pending_.pop_front();
  }
  if (visible_seq == before) return;
  visible_seq_.store(visible_seq, std::memory_order_release);
  // Release, and last: see Publish.
  if (pending_.empty()) has_pending_.store(false, std::memory_order_release);
  if (sleepers_ > 0) advanced_.SignalAll();
}

absl::Status PublishQueue::Wait(uint64_t seq, absl::FunctionRef<void()> undo) {
  uint64_t barrier = 0;
  {
    MutexLock lock(&mutex_);
    Advance();
    if (visible_seq() > seq) return absl::OkStatus();
    // The newest is at least as new as what this write is behind; waiting for it is waiting for the
    // same sync.
    barrier = std::min(last_waiting_seq_, seq);
  }
  // An error is told to the write that asked for durability, which then gets out of the way. A
  // final one is found below.
  log_->WaitForSeq(barrier).IgnoreError();
  {
    MutexLock lock(&mutex_);
    Advance();
    sleepers_++;
    // What is in front of this write is resolved by its own thread, which signals.
    while (visible_seq() <= seq && !IsLost(seq)) advanced_.Wait(&mutex_);
    sleepers_--;
    if (visible_seq() > seq) return absl::OkStatus();
    MakeVoid(seq, undo);
  }
  // The log, which has failed, says why, at once.
  return log_->WaitForSeq(seq);
}

void PublishQueue::MakeVoid(uint64_t seq, absl::FunctionRef<void()> undo) {
  undo();
  const auto failed = std::lower_bound(pending_.begin(), pending_.end(), seq,
                                       [](const Pending& p, uint64_t s) { return p.seq < s; });
  EMDB_CHECK(failed != pending_.end() && failed->seq == seq);
  failed->state = State::kVoid;
  Advance();
}

absl::Status PublishQueue::Resolve(uint64_t seq, const absl::Status& durable,
                                   absl::FunctionRef<void()> undo) {
  if (visible_seq() > seq) return absl::OkStatus();
  MutexLock lock(&mutex_);
  Advance();
  // It may have become durable after all, by a write that was tried again, and been seen by
  // readers.
  if (visible_seq() > seq) return absl::OkStatus();
  EMDB_CHECK(!durable.ok());
  MakeVoid(seq, undo);
  return durable;
}

void PublishQueue::WaitUntilVisible(uint64_t seq) {
  MutexLock lock(&mutex_);
  Advance();
  sleepers_++;
  while (visible_seq() < seq) advanced_.Wait(&mutex_);
  sleepers_--;
}

}  // namespace emdb
