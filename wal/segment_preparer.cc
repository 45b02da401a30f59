#include "wal/segment_preparer.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "storage/status.h"
#include "storage/thread.h"

namespace emdb {
namespace {

// 128 MB/s: far below the disk, so that commits do not feel it, and above what commits write.
constexpr uint64_t kPieceBytes = 256 << 10;
constexpr std::chrono::milliseconds kPause(2);

}  // namespace

SegmentPreparer::SegmentPreparer(LogFiles* files, Segment::Access access)
    : files_(files), access_(access) {}

SegmentPreparer::~SegmentPreparer() { Stop(); }

absl::Status SegmentPreparer::Want(const Need& need) {
  if (stop_) return absl::OkStatus();
  if (!thread_.joinable()) {
    EMDB_ASSIGN_OR_RETURN(thread_, StartThread("log segment preparer", [this] { Run(); }));
  }
  wanted_capacity_ =
      std::max({wanted_capacity_, RoundUpToBlock(need.good_bytes), RoundUpToBlock(need.min_bytes)});
  changed_.SignalAll();
  return absl::OkStatus();
}

bool SegmentPreparer::CanTake(uint64_t min_bytes) const {
  if (recycled_ && recycled_->header().capacity_bytes >= min_bytes) return true;
  return fresh_ && !zeroing_ && fresh_->header().capacity_bytes >= min_bytes;
}

void SegmentPreparer::Request(uint64_t good_bytes) {
  MutexLock lock(&mutex_);
  if (fresh_ || recycled_ || wanted_capacity_ != 0) return;
  // Who cannot do without one learns from Await why there is none.
  Want({.good_bytes = good_bytes}).IgnoreError();
}

std::shared_ptr<Segment> SegmentPreparer::TryTake(uint64_t min_bytes) {
  MutexLock lock(&mutex_);
  if (!CanTake(min_bytes)) return nullptr;
  if (recycled_ && recycled_->header().capacity_bytes >= min_bytes) {
    ++counts_.recycled;
    return std::exchange(recycled_, nullptr);
  }
  return std::exchange(fresh_, nullptr);
}

absl::Status SegmentPreparer::Await(const Need& need) {
  const uint64_t min_bytes = need.min_bytes;
  MutexLock lock(&mutex_);
  ++awaiting_;
  absl::Status status;
  const uint64_t attempts_before = attempts_;
  bool asked = false;
  while (status.ok() && !CanTake(min_bytes)) {
    if (stop_) {
      status = absl::FailedPreconditionError("the log is closed");
    } else if (asked && attempts_ != attempts_before && !last_attempt_.ok()) {
      status = last_attempt_;
    } else {
      const bool too_small = fresh_ && !zeroing_ && fresh_->header().capacity_bytes < min_bytes;
      if (too_small) {
        UnlockAndDiscard(std::exchange(fresh_, nullptr));
        continue;
      }
      // Again only if nothing is wanted any more: each Want wakes the others that wait here.
      if (!fresh_ && (!asked || wanted_capacity_ == 0)) {
        status = Want(need);
        asked = true;
      }
      if (status.ok()) changed_.Wait(&mutex_);
    }
  }
  --awaiting_;
  return status;
}

bool SegmentPreparer::HasPlace() const {
  MutexLock lock(&mutex_);
  return !stop_ && !recycled_;
}

bool SegmentPreparer::Offer(const std::shared_ptr<Segment>& segment) {
  MutexLock lock(&mutex_);
  if (stop_ || recycled_) return false;
  recycled_ = segment;
  changed_.SignalAll();
  return true;
}

void SegmentPreparer::GiveBack(const Keep& keep) {
  std::shared_ptr<Segment> given_back[2];
  {
    MutexLock lock(&mutex_);
    const auto too_large = [&keep](const std::shared_ptr<Segment>& ready) {
      return ready != nullptr && ready->header().capacity_bytes > keep.max_capacity_bytes;
    };
    if (too_large(recycled_)) given_back[0].swap(recycled_);
    if (too_large(fresh_) || (keep.only_one && recycled_)) given_back[1].swap(fresh_);
    // The thread that makes it sees that it is wanted no more.
    if (awaiting_ == 0 && wanted_capacity_ > keep.max_capacity_bytes) wanted_capacity_ = 0;
  }
  for (std::shared_ptr<Segment>& segment : given_back) {
    if (segment != nullptr) Discard(std::move(segment));
  }
}

void SegmentPreparer::Stop() {
  std::thread thread;
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    changed_.SignalAll();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
  std::shared_ptr<Segment> ready[2];
  {
    MutexLock lock(&mutex_);
    ready[0].swap(fresh_);
    ready[1].swap(recycled_);
  }
  for (std::shared_ptr<Segment>& segment : ready) {
    if (segment != nullptr) Discard(std::move(segment));
  }
}

SegmentPreparer::Counts SegmentPreparer::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

// Without the mutex, under which nobody is to wait for the disk: with the last reference the file's
// space is freed.
void SegmentPreparer::Discard(std::shared_ptr<Segment> segment) {
  // What stays behind is found and removed by the next open.
  files_->Remove(segment->path()).IgnoreError();
  segment.reset();
}

void SegmentPreparer::UnlockAndDiscard(std::shared_ptr<Segment> segment) {
  mutex_.Unlock();
  Discard(std::move(segment));
  mutex_.Lock();
}

bool SegmentPreparer::NeedsZeros() const {
  return fresh_ && awaiting_ == 0 && zeroed_ < fresh_->header().capacity_bytes;
}

void SegmentPreparer::Run() {
  MutexLock lock(&mutex_);
  while (!stop_) {
    if (wanted_capacity_ != 0) {
      Make();
    } else if (NeedsZeros()) {
      ZeroNextPiece();
      changed_.SignalAll();
      if (!stop_ && wanted_capacity_ == 0) changed_.WaitFor(&mutex_, kPause);
    } else {
      changed_.Wait(&mutex_);
    }
  }
}

void SegmentPreparer::Make() {
  const uint64_t capacity = wanted_capacity_;
  mutex_.Unlock();
  absl::StatusOr<std::shared_ptr<Segment>> made =
      Segment::Create(files_->env(), files_->NewSparePath(), capacity, access_);
  mutex_.Lock();
  if (made.ok()) ++counts_.created;
  if (wanted_capacity_ < capacity) {
    // It was given back meanwhile. A smaller one may be wanted since: that is made next, and this
    // was no attempt at it.
    if (made.ok()) UnlockAndDiscard(*std::move(made));
  } else {
    // Who wants a larger one asks again.
    wanted_capacity_ = 0;
    ++attempts_;
    last_attempt_ = made.status();
    if (made.ok()) {
      fresh_ = *std::move(made);
      zeroed_ = 0;
    }
  }
  changed_.SignalAll();
}

void SegmentPreparer::ZeroNextPiece() {
  std::shared_ptr<Segment> segment = fresh_;
  const uint64_t begin = zeroed_;
  const uint64_t end = std::min(begin + kPieceBytes, segment->header().capacity_bytes);
  zeroing_ = true;
  mutex_.Unlock();
  absl::Status status = segment->WriteZeros(begin, end);
  // Each piece by itself: 64 MiB of dirty zeros in one sync hold up every other sync of the disk.
  if (status.ok()) status = segment->Sync();
  mutex_.Lock();
  zeroing_ = false;
  if (status.ok() && fresh_ != nullptr) {
    zeroed_ = end;
    return;
  }
  // Nothing of value is in it, and the next one that is needed is a new attempt; or it was given
  // back meanwhile, and this is the last reference.
  fresh_ = nullptr;
  UnlockAndDiscard(std::move(segment));
}

}  // namespace emdb
