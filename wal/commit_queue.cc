#include "wal/commit_queue.h"

#include <algorithm>
#include <climits>

#include "storage/check.h"
#include "wal/futex.h"

namespace emdb {
namespace {

bool IsDone(uint32_t word, uint32_t group) { return static_cast<int32_t>(word - group) >= 0; }

}  // namespace

CommitQueue::Words::Words() {
  for (std::atomic<uint32_t>& word : words_) word.store(0, std::memory_order_relaxed);
}

void CommitQueue::Words::Await(Group group) const {
  const std::atomic<uint32_t>& word = words_[group % words_.size()];
  while (true) {
    // Acquire pairs with SetDone: what the sync made true is visible to those it served.
    const uint32_t value = word.load(std::memory_order_acquire);
    if (IsDone(value, group)) return;
    FutexWait(&word, value);
  }
}

void CommitQueue::Words::SetDone(Group group) {
  WordOf(group).store(group, std::memory_order_release);
}

void CommitQueue::Words::Wake(Group group) { FutexWake(&WordOf(group), INT_MAX); }

CommitQueue::Ticket CommitQueue::Join() {
  ++open_waiters_;
  const bool company_is_back = owner_ == Owner::kLingering && open_waiters_ >= target_;
  const bool leads = owner_ == Owner::kNobody || company_is_back;
  if (company_is_back) misses_ = 0;
  if (leads) {
    owner_ = Owner::kSomebody;
    leader_waits_ = true;
  }
  return {leads, open_group_};
}

CommitQueue::Ticket CommitQueue::JoinRunning() {
  EMDB_CHECK(syncing_);
  ++late_sleepers_;
  return {false, open_group_ - 1};
}

void CommitQueue::Own() {
  EMDB_CHECK(owner_ != Owner::kSomebody);
  owner_ = Owner::kSomebody;
}

CommitQueue::Group CommitQueue::StartSync() {
  EMDB_CHECK(owner_ == Owner::kSomebody && !syncing_);
  syncing_ = true;
  running_waiters_ = open_waiters_;
  open_waiters_ = 0;
  return open_group_++;
}

CommitQueue::Served CommitQueue::Finish(uint64_t now_nanos, uint64_t sync_nanos) {
  EMDB_CHECK(owner_ == Owner::kSomebody);
  Served served;
  const uint32_t count = running_waiters_;
  if (syncing_) {
    const uint32_t awake = leader_waits_ ? 1 : 0;
    served = {true, open_group_ - 1, count + late_sleepers_ > awake};
  }
  syncing_ = false;
  leader_waits_ = false;
  running_waiters_ = 0;
  late_sleepers_ = 0;
  // A quarter of the way to the new value: follows the disk, ignores one hiccup.
  if (sync_nanos != 0) mean_sync_nanos_ = (3 * mean_sync_nanos_ + sync_nanos) / 4;
  if (sync_nanos != 0 && syncs_off_ > 0) --syncs_off_;
  DecideNext(count, now_nanos);
  return served;
}

void CommitQueue::DecideNext(uint32_t served, uint64_t now_nanos) {
  const bool lingers = syncs_off_ == 0 && served > 0;
  const bool company_is_likely = lingers && served + open_waiters_ > 1;
  if (!company_is_likely && open_waiters_ == 0) {
    owner_ = Owner::kNobody;
    return;
  }
  owner_ = Owner::kLingering;
  // Without lingering the flusher serves those who wait at once; nobody among them is awake to do
  // it.
  target_ = lingers ? served + open_waiters_ : UINT32_MAX;
  const uint64_t linger = std::min(kMaxLingerNanos, mean_sync_nanos_ * 2 / 5);
  linger_until_ = lingers ? now_nanos + linger : now_nanos;
}

CommitQueue::Served CommitQueue::Abort() {
  Served served = {true, open_group_, open_waiters_ > 0};
  ++open_group_;
  open_waiters_ = 0;
  owner_ = Owner::kNobody;
  return served;
}

uint64_t CommitQueue::ServeAtNanos() const {
  if (owner_ == Owner::kLingering) return linger_until_;
  return kNever;
}

void CommitQueue::LingerTimedOut() {
  EMDB_CHECK(owner_ == Owner::kLingering);
  const bool lingered = target_ != UINT32_MAX;
  if (lingered && ++misses_ >= kMissesUntilOff) {
    misses_ = 0;
    syncs_off_ = kSyncsOff;
  }
  owner_ = Owner::kNobody;
}

}  // namespace emdb
