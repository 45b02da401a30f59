#include "pagestore/page_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pagestore/node.h"
#include "storage/status.h"

namespace emdb {
namespace {

// The small queue's share of the frames: one in ten, as in the paper.
constexpr uint32_t kSmallShare = 10;

}  // namespace

PageCache::PageCache(const PageFile* file, FrameArena frames, Epoch* epoch)
    : file_(file),
      epoch_(epoch),
      page_size_(file->page_size()),
      arena_(std::move(frames)),
      capacity_(arena_.frame_count()),
      low_water_(std::clamp<uint32_t>(capacity_ / 64, 1, 256)),
      pins_(capacity_),
      uses_(capacity_),
      free_(std::make_shared<FreeFrames>()),
      queues_(capacity_),
      page_of_(capacity_),
      hits_(kHitCounters) {
  static_assert(kNoPage == 0, "page_of_ is all zeros at first");
}

PagePin PageCache::PinFrame(uint32_t frame) const {
  pins_[frame].fetch_add(1, std::memory_order_relaxed);
  PagePin pin;
  pin.data_ = arena_.frame(frame);
  pin.pins_ = &pins_[frame];
  return pin;
}

PagePin PageCache::PinFound(const char* page) const { return PinFrame(arena_.IndexOf(page)); }

PagePin PageCache::Pin(PageId id, Use use) const {
  // The guard keeps the frame from being taken between the lookup and the pin; whoever wants to
  // take it looks at the pins after all guards of that time are gone.
  const EpochGuard guard(epoch_);
  const uint32_t entry = table_.Get(id);
  if (!PageTable::IsFrame(entry)) return {};
  // Before the pin, whose atomic addition keeps later loads waiting.
  PrefetchNode(arena_.frame(PageTable::FrameOf(entry)));
  MarkUsed(PageTable::FrameOf(entry), use);
  return PinFrame(PageTable::FrameOf(entry));
}

absl::StatusOr<PagePin> PageCache::Load(PageRef ref, uint32_t level, Use use) {
  if (PagePin pin = Pin(ref.id, use); pin.data() != nullptr) return pin;
  misses_.fetch_add(1, std::memory_order_relaxed);
  const std::optional<uint32_t> frame = TakeFrame(/*evict=*/true);
  if (!frame) {
    PagePin pin;
    pin.buffer_ = AlignedBuffer(page_size_);
    EMDB_RETURN_IF_ERROR(file_->ReadNode(ref, level, pin.buffer_.data()));
    pin.data_ = pin.buffer_.data();
    return pin;
  }
  if (absl::Status s = file_->ReadNode(ref, level, arena_.frame(*frame)); !s.ok()) {
    ReturnFrame(*frame);
    return s;
  }
  return Publish(ref.id, *frame);
}

void PageCache::LoadAhead(absl::Span<const PageRef> refs, uint32_t level) {
  std::vector<PageRef> missing;
  std::vector<PageId> ids;
  std::vector<char*> buffers;
  for (const PageRef& ref : refs) {
    if (Contains(ref.id)) continue;
    const std::optional<uint32_t> frame = TakeFrame(/*evict=*/true);
    if (!frame) break;
    missing.push_back(ref);
    ids.push_back(ref.id);
    buffers.push_back(arena_.frame(*frame));
  }
  misses_.fetch_add(ids.size(), std::memory_order_relaxed);
  const absl::Status read = file_->ReadPages(ids, buffers);
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint32_t frame = arena_.IndexOf(buffers[i]);
    if (read.ok() && file_->CheckNodePage(missing[i], level, buffers[i]).ok()) {
      Publish(ids[i], frame);
    } else {
      ReturnFrame(frame);
    }
  }
}

PagePin PageCache::Publish(PageId id, uint32_t frame) {
  PagePin pin;
  {
    MutexLock lock(&mutex_);
    const uint32_t entry = table_.Get(id);
    if (!PageTable::IsFrame(entry)) {
      Link(id, frame);
      return PinFrame(frame);
    }
    // Frames leave the table only under the mutex, so this one can be pinned without a guard.
    pin = PinFrame(PageTable::FrameOf(entry));
  }
  ReturnFrame(frame);
  return pin;
}

void PageCache::Link(PageId id, uint32_t frame) {
  const uint32_t entry = table_.Get(id);
  const bool came_back =
      PageTable::IsGhost(entry) && PageTable::GhostAge(entry, eviction_count_) <= capacity_;
  const bool is_inner = PageLevelField(arena_.frame(frame)) > 0;
  uses_[frame].store(is_inner ? kMaxUses : 0, std::memory_order_relaxed);
  page_of_[frame] = id;
  queues_.PushBack(is_inner || came_back ? kInMain : kInSmall, frame);
  table_.Set(id, PageTable::FrameEntry(frame));
}

void PageCache::Insert(PageId id, const char* page, bool evict) {
  const std::optional<uint32_t> frame = TakeFrame(evict);
  if (!frame) return;
  std::memcpy(arena_.frame(*frame), page, page_size_);
  Publish(id, *frame);
}

std::optional<uint32_t> PageCache::PopFree() {
  MutexLock lock(&free_->mutex);
  for (size_t i = free_->frames.size(); i-- > 0;) {
    const uint32_t frame = free_->frames[i];
    // Acquire: pairs with the release of the last pin. No new pin can come: the frame has left the
    // table, and the guards that may have seen it there are gone.
    if (pins_[frame].load(std::memory_order_acquire) != 0) continue;
    free_->frames[i] = free_->frames.back();
    free_->frames.pop_back();
    return frame;
  }
  if (free_->untouched < capacity_) return free_->untouched++;
  return std::nullopt;
}

std::optional<uint32_t> PageCache::TakeFrame(bool evict) {
  if (!evict) return HasRoom() ? PopFree() : std::nullopt;
  // Frames are on their way for as long as some guard is held, so they are sent off ahead of need.
  if (!HasRoom()) Evict(low_water_);
  if (std::optional<uint32_t> frame = PopFree()) return frame;
  epoch_->Reclaim();
  if (std::optional<uint32_t> frame = PopFree()) return frame;
  // The free frames are all pinned still: erased pages that cursors stand on. Unless others are on
  // their way, nothing is sent off while there are as many as these.
  if (IsRetiring()) return std::nullopt;
  Evict(low_water_);
  epoch_->Reclaim();
  return PopFree();
}

void PageCache::ReturnFrame(uint32_t frame) {
  MutexLock lock(&free_->mutex);
  free_->frames.push_back(frame);
}

bool PageCache::IsRetiring() const {
  MutexLock lock(&free_->mutex);
  return free_->retiring > 0;
}

bool PageCache::HasRoom() const {
  MutexLock lock(&free_->mutex);
  return free_->frames.size() + free_->retiring + (capacity_ - free_->untouched) > low_water_;
}

void PageCache::Evict(uint32_t count) {
  std::vector<uint32_t> victims;
  {
    MutexLock lock(&mutex_);
    while (victims.size() < count) {
      const std::optional<uint32_t> victim = ChooseVictim();
      if (!victim) break;
      Unlink(*victim, PageTable::GhostEntry(++eviction_count_));
      victims.push_back(*victim);
    }
  }
  evictions_.fetch_add(victims.size(), std::memory_order_relaxed);
  Retire(std::move(victims));
}

uint32_t PageCache::QueueToShrink() const {
  if (queues_.size(kDoomed) > 0) return kDoomed;
  const uint32_t small_size = queues_.size(kInSmall);
  const bool main_is_empty = queues_.size(kInMain) == 0;
  return main_is_empty || small_size > capacity_ / kSmallShare ? kInSmall : kInMain;
}

std::optional<uint32_t> PageCache::ChooseVictim() {
  // Every pass takes something from a frame's count, so this many decide.
  const uint64_t limit = uint64_t{kMaxUses + 2} * capacity_;
  for (uint64_t i = 0; i < limit; ++i) {
    const uint32_t queue = QueueToShrink();
    const uint32_t frame = queues_.front(queue);
    if (frame == FrameQueues::kNone) return std::nullopt;
    const uint8_t uses = uses_[frame].load(std::memory_order_relaxed);
    const bool pinned = pins_[frame].load(std::memory_order_relaxed) != 0;
    if (uses == 0 && !pinned) return frame;
    queues_.Remove(frame);
    queues_.PushBack(kInMain, frame);
    if (uses > 0) uses_[frame].store(queue == kInMain ? uses - 1 : 0, std::memory_order_relaxed);
  }
  return std::nullopt;
}

void PageCache::Unlink(uint32_t frame, uint32_t entry) {
  table_.Set(page_of_[frame], entry);
  queues_.Remove(frame);
  page_of_[frame] = kNoPage;
}

void PageCache::Retire(std::vector<uint32_t> frames) {
  if (frames.empty()) return;
  {
    MutexLock lock(&free_->mutex);
    free_->retiring += static_cast<uint32_t>(frames.size());
  }
  epoch_->Retire([free = free_, frames = std::move(frames)] {
    MutexLock lock(&free->mutex);
    free->retiring -= static_cast<uint32_t>(frames.size());
    free->frames.insert(free->frames.end(), frames.begin(), frames.end());
  });
}

void PageCache::Erase(absl::Span<const PageRun> runs) {
  std::vector<uint32_t> erased;
  {
    MutexLock lock(&mutex_);
    for (const PageRun& run : runs) {
      for (uint64_t id = run.first; id < run.end(); ++id) {
        const uint32_t entry = table_.Get(static_cast<PageId>(id));
        if (entry == PageTable::kNothing) continue;
        if (PageTable::IsFrame(entry)) {
          Unlink(PageTable::FrameOf(entry), PageTable::kNothing);
          erased.push_back(PageTable::FrameOf(entry));
        } else {
          table_.Set(static_cast<PageId>(id), PageTable::kNothing);
        }
      }
    }
  }
  if (erased.empty()) return;
  Retire(std::move(erased));
  // At once, as far as guards allow: what is about to be written would otherwise go to frames that
  // were never touched, and take memory from the system for each page that is there twice.
  epoch_->Reclaim();
}

void PageCache::EraseUnused(absl::Span<const PageId> ids) {
  std::vector<uint32_t> erased;
  {
    MutexLock lock(&mutex_);
    for (const PageId id : ids) {
      const uint32_t entry = table_.Get(id);
      if (!PageTable::IsFrame(entry)) continue;
      const uint32_t frame = PageTable::FrameOf(entry);
      if (uses_[frame].load(std::memory_order_relaxed) != 0) continue;
      Unlink(frame, PageTable::kNothing);
      erased.push_back(frame);
    }
  }
  Retire(std::move(erased));
}

void PageCache::Demote(absl::Span<const PageRun> runs) {
  MutexLock lock(&mutex_);
  for (const PageRun& run : runs) {
    for (uint64_t id = run.first; id < run.end(); ++id) {
      const uint32_t entry = table_.Get(static_cast<PageId>(id));
      if (!PageTable::IsFrame(entry)) continue;
      const uint32_t frame = PageTable::FrameOf(entry);
      uses_[frame].store(0, std::memory_order_relaxed);
      queues_.Remove(frame);
      queues_.PushBack(kDoomed, frame);
    }
  }
}

PageCache::Stats PageCache::stats() const {
  Stats stats;
  stats.capacity_bytes = uint64_t{capacity_} * page_size_;
  {
    MutexLock lock(&mutex_);
    stats.used_bytes =
        uint64_t{queues_.size(kInSmall) + queues_.size(kInMain) + queues_.size(kDoomed)} *
        page_size_;
  }
  for (size_t i = 0; i < kHitCounters; ++i) {
    stats.hits += hits_[i].count.load(std::memory_order_relaxed);
  }
  stats.misses = misses_.load(std::memory_order_relaxed);
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace emdb
