// OrderMonitor: watches what a Db does to a simulated disk, and notes when the order is one that a
// crash at the wrong moment could not survive, though this run may never crash there. The rules:
//
//  1. A header is written to the store only when each page that it reaches has been synced.
//  2. A sealed log segment is removed or renamed away, and an active one replaced, only when a
//     header whose next_seq is behind its last record is durable.
//  3. No page is overwritten or cut off that is reached by a header that counts after a power cut,
//     or may count then, or by one that was pinned.
//
// That nothing is acknowledged before it is durable is not seen here; the models see it
// (TESTING.md).
//
// It knows the formats and nothing of the code: what a header reaches is found by a walk of its own
// over the bytes that are on the disk. It adds no operation to the disk, so numbered operations and
// seeds stay as they are.
//
// Thread safe. One for each FaultEnv; a Db may be killed and opened again on it. Other stores
// on the same disk are not watched.

#ifndef EMDB_KV_ORDER_MONITOR_H_
#define EMDB_KV_ORDER_MONITOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pagestore/page_format.h"
#include "storage/env.h"
#include "storage/fault_env.h"
#include "storage/mutex.h"

namespace emdb {

class OrderMonitor {
 public:
  // The pages of a generation, kept from being overwritten as long as somebody holds them.
  using Pages = std::shared_ptr<const std::vector<bool>>;

  // For the store `store_path`; all that is on the disk counts as durable. `disk` must outlive it.
  OrderMonitor(FaultEnv* disk, std::string store_path);
  ~OrderMonitor();
  OrderMonitor(const OrderMonitor&) = delete;
  OrderMonitor& operator=(const OrderMonitor&) = delete;

  // In front of the disk; for Options::env. Files opened from it must not outlive the monitor.
  Env* env() { return env_.get(); }

  // "", or what was done against the rules first.
  std::string failure() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Headers that were checked, and removals and renames of segments.
  uint64_t headers_checked() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t segments_checked() const ABSL_LOCKS_EXCLUDED(mutex_);

  // What the durable header reaches: for the test to hold as long as a Snapshot taken now. Without
  // what a newer header on the disk does not reach: a store that was opened on one that is not
  // durable yet is that generation, and so is its Snapshot.
  Pages PinDurable() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class MonitoredEnv;
  friend class MonitoredStore;

  // A header that is durable, or may be found after a power cut.
  struct Generation {
    StoreHeader header;
    Pages pages;
    uint64_t written_at = 0;  // tick
  };

  // Around operations on the store file. A sync covers what ended before it began.
  void BeforeWrite(uint64_t offset, std::string_view data) ABSL_LOCKS_EXCLUDED(mutex_);
  void AfterWrite(uint64_t offset, std::string_view data, bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void BeforeTruncate(uint64_t size) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t BeforeSync() ABSL_LOCKS_EXCLUDED(mutex_);
  void AfterSync(uint64_t began_at) ABSL_LOCKS_EXCLUDED(mutex_);
  // Before the store is opened again: forgets headers that are neither durable nor on the disk.
  void BeforeOpen() ABSL_LOCKS_EXCLUDED(mutex_);
  // Before the names of the log change; an empty `to` is a removal.
  void BeforeRename(std::string_view from, std::string_view to) ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsHeaderWrite(uint64_t offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckHeader(const StoreHeader& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckNotReached(uint64_t first_page, uint64_t end_page, std::string_view what)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NotePages(uint64_t offset, size_t size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckSegmentGoes(std::string_view path, uint64_t end_seq)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(std::string what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FaultEnv* const disk_;
  const std::string store_path_;
  const std::string log_path_;
  const std::unique_ptr<Env> env_;

  mutable Mutex mutex_;
  std::string failure_ ABSL_GUARDED_BY(mutex_);
  uint64_t headers_checked_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t segments_checked_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t page_size_ ABSL_GUARDED_BY(mutex_) = 0;               // 0: there is no header yet
  uint64_t tick_ ABSL_GUARDED_BY(mutex_) = 0;                    // rises with every write and sync
  uint64_t synced_tick_ ABSL_GUARDED_BY(mutex_) = 0;             // what ended by then is durable
  std::vector<uint64_t> page_ticks_ ABSL_GUARDED_BY(mutex_);     // of the last write of each page
  std::vector<Generation> generations_ ABSL_GUARDED_BY(mutex_);  // first the durable one
  std::vector<std::weak_ptr<const std::vector<bool>>> pins_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_KV_ORDER_MONITOR_H_
