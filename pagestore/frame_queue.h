// FrameQueues: first-in first-out queues of frame numbers, linked through two arrays, so that any
// frame leaves its queue in constant time. A frame is in one queue or in none. Not thread safe.

#ifndef EMDB_PAGESTORE_FRAME_QUEUE_H_
#define EMDB_PAGESTORE_FRAME_QUEUE_H_

#include <array>
#include <cstdint>

#include "storage/zeroed_array.h"
#include "storage/check.h"

namespace emdb {

class FrameQueues {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kQueues = 4;  // 1 to 3; 0 means in none

  explicit FrameQueues(uint32_t frames) : links_(frames), queue_of_(frames) {}

  uint32_t size(uint32_t queue) const { return ends_[queue].size; }
  // The frame that is next to leave; kNone if the queue is empty.
  uint32_t front(uint32_t queue) const { return ends_[queue].first; }

  void PushBack(uint32_t queue, uint32_t frame) {
    Ends& ends = Enter(queue, frame);
    links_[frame] = {ends.last, kNone};
    (ends.last == kNone ? ends.first : links_[ends.last].next) = frame;
    ends.last = frame;
  }
  void Remove(uint32_t frame) {
    Ends& ends = ends_[queue_of_[frame]];
    const Link link = links_[frame];
    (link.previous == kNone ? ends.first : links_[link.previous].next) = link.next;
    (link.next == kNone ? ends.last : links_[link.next].previous) = link.previous;
    --ends.size;
    queue_of_[frame] = 0;
  }

 private:
  struct Link {
    uint32_t previous;
    uint32_t next;
  };
  struct Ends {
    uint32_t first = kNone;
    uint32_t last = kNone;
    uint32_t size = 0;
  };

  Ends& Enter(uint32_t queue, uint32_t frame) {
    EMDB_CHECK(queue_of_[frame] == 0);
    queue_of_[frame] = static_cast<uint8_t>(queue);
    ++ends_[queue].size;
    return ends_[queue];
  }

  ZeroedArray<Link> links_;  // of frames that are in a queue
  ZeroedArray<uint8_t> queue_of_;
  std::array<Ends, kQueues> ends_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FRAME_QUEUE_H_
