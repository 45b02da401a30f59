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
  const bool company_is_back = CompanyIsBack();
  const bool leads = owner_ == Owner::kNobody || company_is_back;
  if (company_is_back) misses_ = 0;
  if (leads) {
    owner_ = Owner::kSomebody;
    leader_waits_ = true;
  }
  return {leads, open_group_};
}

void CommitQueue::JoinCallback() {
  ++open_waiters_;
  ++open_callbacks_;
  if (CompanyIsBack()) {
    misses_ = 0;
    ServeAt(0);
  } else if (owner_ == Owner::kNobody) {
    ServeAt(0);
  }
}

void CommitQueue::ServeAt(uint64_t nanos) {
  owner_ = Owner::kLingering;
  target_ = kNoTarget;
  linger_until_ = nanos;
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
  running_ = {open_waiters_, open_callbacks_};
  open_waiters_ = 0;
  open_callbacks_ = 0;
  return open_group_++;
}

uint32_t CommitQueue::sleepers() const {
  const uint32_t awake = running_.callbacks + (leader_waits_ ? 1 : 0);
  return running_.all + late_sleepers_ - awake;
}

CommitQueue::Served CommitQueue::Finish(uint64_t now_nanos, uint64_t sync_nanos) {
  EMDB_CHECK(owner_ == Owner::kSomebody);
  Served served;
  const Waiters waiters = running_;
  if (syncing_) served = {true, open_group_ - 1, sleepers() > 0};
  syncing_ = false;
  leader_waits_ = false;
  running_ = {};
  late_sleepers_ = 0;
  // A quarter of the way to the new value: follows the disk, ignores one hiccup.
  if (sync_nanos != 0) mean_sync_nanos_ = (3 * mean_sync_nanos_ + sync_nanos) / 4;
  if (sync_nanos != 0 && syncs_off_ > 0) --syncs_off_;
  DecideNext(waiters, now_nanos);
  return served;
}

void CommitQueue::DecideNext(const Waiters& served, uint64_t now_nanos) {
  const bool lingers = syncs_off_ == 0 && served.all > 0;
  const bool company_is_likely = lingers && served.all + open_waiters_ > 1;
  if (!company_is_likely && open_waiters_ == 0) {
    owner_ = Owner::kNobody;
    return;
  }
  if (!lingers) {
    // Nobody among those who wait is awake to do it.
    ServeAt(now_nanos);
    return;
  }
  owner_ = Owner::kLingering;
  target_ = served.all + open_waiters_;
  linger_nanos_ = served.callbacks > 0 ? std::min(kMaxCallbackLingerNanos, mean_sync_nanos_)
                                       : std::min(kMaxLingerNanos, mean_sync_nanos_ * 2 / 5);
  linger_until_ = now_nanos + linger_nanos_;
}

void CommitQueue::CallbacksRan(uint64_t now_nanos) {
  const bool lingers = owner_ == Owner::kLingering && target_ != kNoTarget;
  if (lingers) linger_until_ = now_nanos + linger_nanos_;
}

CommitQueue::Served CommitQueue::Abort() {
  Served served = {true, open_group_, open_waiters_ > open_callbacks_};
  ++open_group_;
  open_waiters_ = 0;
  open_callbacks_ = 0;
  owner_ = Owner::kNobody;
  return served;
}

uint64_t CommitQueue::ServeAtNanos() const {
  if (owner_ == Owner::kLingering) return linger_until_;
  return kNever;
}

void CommitQueue::LingerTimedOut() {
  EMDB_CHECK(owner_ == Owner::kLingering);
  const bool lingered = target_ != kNoTarget;
  if (lingered && ++misses_ >= kMissesUntilOff) {
    misses_ = 0;
    syncs_off_ = kSyncsOff;
  }
  owner_ = Owner::kNobody;
}

}  // namespace emdb
