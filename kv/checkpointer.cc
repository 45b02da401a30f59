#include "kv/checkpointer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kv/memtable_changes.h"
#include "storage/epoch.h"
#include "storage/status.h"
#include "storage/thread.h"

namespace emdb {

Checkpointer::Checkpointer(const Parts& parts) : parts_(parts) {
  const std::shared_ptr<const ReadState> state = parts_.states->Acquire();
  frozen_ = state->frozen.size();
  checkpoint_seq_ = merged_seq_ = state->tree.next_seq();
  // Of a process that ended before it had been quiet for long enough.
  is_untidy_ = parts_.store->stats().slice_pages > 0;
  parts_.store->YieldDisk([this] { return DiskIsWanted(); });
}

absl::StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Start(const Parts& parts) {
  std::unique_ptr<Checkpointer> checkpointer(new Checkpointer(parts));
  EMDB_ASSIGN_OR_RETURN(
      checkpointer->thread_,
      StartThread("checkpointer", [started = checkpointer.get()] { started->Run(); }));
  return checkpointer;
}

Checkpointer::~Checkpointer() {
  if (thread_.joinable()) {
    {
      MutexLock lock(&mutex_);
      is_stopping_ = true;
      work_.Signal();
    }
    thread_.join();
  }
  parts_.store->YieldDisk(nullptr);
}

void Checkpointer::Schedule() {
  MutexLock lock(&mutex_);
  frozen_++;
  work_.Signal();
}

void Checkpointer::RetryNow() {
  MutexLock lock(&mutex_);
  // An attempt that is under way may have met a lack of space that is over: it is not the one to
  // tell of. What comes after it had to wait for it anyway. That one only: under many writes the
  // next one is under way before this thread has woken.
  const uint64_t attempt = attempts_;
  while (is_attempting_ && attempts_ == attempt) done_.Wait(&mutex_);
  if (!is_pausing_) return;
  retry_now_ = true;
  // From here on the attempt counts as under way: who waits for it does not get the old error.
  is_pausing_ = false;
  work_.Signal();
}

absl::Status Checkpointer::WaitForRoom() {
  MutexLock lock(&mutex_);
  while (frozen_ >= kMaxFrozenMemtables) {
    if (is_broken_.load(std::memory_order_relaxed)) return final_error_;
    if (is_pausing_) return last_error_;
    done_.Wait(&mutex_);
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::WaitForCheckpoint(uint64_t seq) {
  MutexLock lock(&mutex_);
  const uint64_t failures_before = failures_;
  while (checkpoint_seq_ < seq) {
    if (is_broken_.load(std::memory_order_relaxed)) return final_error_;
    if (failures_ != failures_before || is_pausing_) return last_error_;
    done_.Wait(&mutex_);
  }
  return failures_ != failures_before ? last_error_ : absl::OkStatus();
}

absl::Status Checkpointer::RunExclusively(absl::FunctionRef<absl::Status()> work) {
  const FairMutexLock maintenance(&maintenance_mutex_);
  absl::Status result = work();
  PublishTree();
  return result;
}

void Checkpointer::PublishTree() {
  if (!ReadNewestTree()) return;
  MutexLock lock(&mutex_);
  is_untidy_ = true;
  work_.Signal();
}

bool Checkpointer::ReadNewestTree() {
  const View newest = parts_.store->GetView();
  if (newest.generation() == parts_.states->Acquire()->tree.generation()) return false;
  parts_.states->Update([&newest](ReadState* state) { state->tree = newest; });
  // The state of before holds the tree of before, and so its pages, until it is destroyed.
  parts_.states->WaitForReaders();
  return true;
}

void Checkpointer::Run() {
  for (;;) {
    switch (WaitForWork()) {
      case Task::kStop:
        return;
      case Task::kCheckpoint:
        Record(CheckpointOldest());
        break;
      case Task::kTidy:
        TidyIfQuiet();
        break;
    }
  }
}

Checkpointer::Task Checkpointer::WaitForWork() {
  MutexLock lock(&mutex_);
  for (;;) {
    if (is_stopping_) return Task::kStop;
    const bool is_broken = is_broken_.load(std::memory_order_relaxed);
    if (!is_broken && frozen_ == 0 && is_untidy_) {
      if (!work_.WaitFor(&mutex_, kQuietTime)) return Task::kTidy;
    } else if (is_broken || frozen_ == 0) {
      work_.Wait(&mutex_);
    } else if (is_pausing_ && !retry_now_) {
      if (!work_.WaitFor(&mutex_, pause_)) {
        retry_now_ = true;
        pause_ = std::min(pause_ * 2, kLongestPause);
      }
    } else {
      retry_now_ = false;
      is_pausing_ = false;
      is_attempting_ = true;
      ++attempts_;
      return Task::kCheckpoint;
    }
  }
}

absl::Status Checkpointer::CheckpointOldest() {
  const FairMutexLock maintenance(&maintenance_mutex_);
  std::shared_ptr<const ReadState> state = parts_.states->Acquire();
  std::shared_ptr<Memtable> table = state->frozen.back();
  state.reset();
  const uint64_t end_seq = table->end_seq();
  // Durable in the log first: a store must never be ahead of its log.
  if (absl::Status s = parts_.log->Flush(); !s.ok()) return LogError(s);
  parts_.queue->WaitUntilVisible(end_seq);
  if (absl::Status s = Merge(*table); !s.ok()) {
    if (absl::IsResourceExhausted(s)) FoldForRoom();
    return s;
  }
  parts_.states->Update([this](ReadState* next) {
    next->frozen.pop_back();
    next->tree = parts_.store->GetView();
  });
  // So that the memory of the memtable is there for the next one, for which writers may be waiting:
  // they wait for the reads that have begun, too.
  table.reset();
  parts_.states->WaitForReaders();
  {
    MutexLock lock(&mutex_);
    frozen_--;
    done_.SignalAll();
  }
  was_merged_ = true;
  merged_seq_ = end_seq;
  if (absl::Status s = parts_.log->TruncateBefore(end_seq); !s.ok()) return LogError(s);
  return absl::OkStatus();
}

void Checkpointer::FoldForRoom() {
  if (parts_.store->stats().slice_pages == 0) return;
  // The checkpoint has failed, and says so. What fails here refuses no more than that: a store that
  // has failed says so to the next attempt, and damage is told of by whoever has to read it.
  parts_.store->Tidy().IgnoreError();
  ReadNewestTree();
}

absl::Status Checkpointer::LogError(const absl::Status& error) {
  log_goes_on_ = !parts_.log->failed();
  return error;
}

void Checkpointer::TidyIfQuiet() {
  // What writers fill up now will need the space that is free.
  if (const uint64_t seq = parts_.log->next_seq(); seq != quiet_seq_) {
    quiet_seq_ = seq;
    return;
  }
  {
    // Before, so that what changes the tree from now on counts.
    MutexLock lock(&mutex_);
    is_untidy_ = false;
  }
  const absl::StatusOr<bool> more = TidyStep();
  MutexLock lock(&mutex_);
  if (more.ok()) {
    is_untidy_ = is_untidy_ || *more;
  } else if (!absl::IsResourceExhausted(more.status())) {
    // The file stays as long as it is, which hinders nobody. If the store has failed the next
    // checkpoint will hear of it, and damage is told of by whoever has to read it.
    parts_.statistics->checkpoint_failures.Add();
  }
}

absl::StatusOr<bool> Checkpointer::TidyStep() {
  const FairMutexLock maintenance(&maintenance_mutex_);
  absl::StatusOr<bool> more = parts_.store->Tidy();
  // Not PublishTree: what a step has changed is no reason for another one, unless it says so.
  ReadNewestTree();
  return more;
}

absl::Status Checkpointer::Merge(const Memtable& table) {
  const uint64_t start = parts_.env->NowNanos();
  const double keys = static_cast<double>(std::max<uint64_t>(table.key_count(), 1));
  progress_.store(0, std::memory_order_relaxed);
  is_merging_.store(true, std::memory_order_relaxed);
  MemtableChanges changes(&table);
  absl::Status result =
      parts_.store->Checkpoint(table.end_seq(), &changes, [this, keys](uint64_t changes_done) {
        progress_.store(kMergeShare * static_cast<double>(changes_done) / keys,
                        std::memory_order_relaxed);
      });
  is_merging_.store(false, std::memory_order_relaxed);
  if (result.ok()) {
    parts_.statistics->checkpoints.Add();
    parts_.statistics->checkpoint_duration.Record(parts_.env->NowNanos() - start);
  }
  return result;
}

bool Checkpointer::DiskIsWanted() const {
  constexpr uint64_t kGoOnNanos = std::chrono::nanoseconds(kCommitsGoOn).count();
  const uint64_t last_commit = parts_.statistics->last_commit_nanos();
  if (last_commit == 0 || parts_.env->NowNanos() > last_commit + kGoOnNanos) return false;
  const EpochGuard guard(parts_.states->epoch());
  const ReadState* const state = parts_.states->current();
  // What is not a merge keeps one from beginning.
  if (!is_merging()) return state->frozen.empty();
  const double fill = static_cast<double>(state->active->memory_bytes()) /
                      static_cast<double>(parts_.memtable_size);
  return fill <= progress() + kYieldingLead;
}

void Checkpointer::Record(const absl::Status& result) {
  MutexLock lock(&mutex_);
  is_attempting_ = false;
  const bool was_merged = std::exchange(was_merged_, false);
  const bool log_goes_on = std::exchange(log_goes_on_, false);
  is_untidy_ = is_untidy_ || was_merged;
  checkpoint_seq_ = merged_seq_;
  if (result.ok()) {
    pause_ = kFirstPause;
  } else {
    parts_.statistics->checkpoint_failures.Add();
    failures_++;
    last_error_ = absl::Status(result.code(), absl::StrCat("checkpoint: ", result.message()));
    if (absl::IsResourceExhausted(result) || log_goes_on) {
      // What could not be truncated is with the next checkpoint, which nothing keeps from
      // beginning.
      is_pausing_ = !was_merged;
    } else {
      Break(result);
    }
  }
  done_.SignalAll();
}

void Checkpointer::Break(const absl::Status& cause) {
  // Damage stays damage to those who come later.
  const absl::StatusCode code =
      absl::IsDataLoss(cause) ? absl::StatusCode::kDataLoss : absl::StatusCode::kFailedPrecondition;
  final_error_ = absl::Status(
      code, absl::StrCat("a checkpoint failed, and writes are refused: ", cause.message(),
                         "; close the database, look at the disk, and open it again"));
  is_broken_.store(true, std::memory_order_release);
  done_.SignalAll();
}

}  // namespace emdb
