// PageStore: a copy-on-write B+tree in one file, changed only by atomic checkpoints.
//
// Each checkpoint makes a new generation: it writes new pages, syncs, then writes a header that
// names the new root and `next_seq`, syncs. Pages are never changed in place; a View pins one
// generation and reads it for as long as it lives. Every page is checked (CRC32C, page id, and the
// checksum its parent holds for it) when it is read from the file; wrong bytes are DataLoss and are
// never served. Bytes on disk: pagestore/FORMAT.md.
//
// Thread safe: any number of threads read Views while one at a time runs Checkpoint, Compact or
// Verify. After a failed sync or header write the store is poisoned: reading goes on, Checkpoint is
// FailedPrecondition with the first cause; what a failed checkpoint had written is never part of a
// generation.
//
// Invariants:
//  1. The header of a generation is written only after all of its pages are durable.
//  2. A page that the newest durable header or a View can reach is not written to.
//  3. Each page of the file is a header slot, reachable from the newest root exactly once, or free.
//
// Not: a database. It knows no log, no transactions and no sequence numbers but the one it records.

#ifndef EMDB_PAGESTORE_PAGE_STORE_H_
#define EMDB_PAGESTORE_PAGE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pagestore/change_source.h"
#include "pagestore/cursor.h"
#include "pagestore/pinned_value.h"
#include "storage/env.h"
#include "storage/epoch.h"
#include "storage/store_id.h"

namespace emdb {

struct PageStoreOptions {
  bool create_if_missing = true;  // an empty file counts as missing
  bool read_only = false;
  // Bytes of page frames kept in memory; at least 1 MiB.
  size_t cache_size_bytes = size_t{256} << 20;
  // Changes go to slices only while the pages in use take more than this, and for some checkpoints
  // after one that found the disk full. A store that is in memory is read faster without, and its
  // count of records stays exact. Absent: cache_size_bytes.
  std::optional<uint64_t> slices_above_bytes;
  // Of a new store: 8, 16, 32 or 64 KiB. An existing store has its own.
  uint32_t page_size_bytes = 8192;
  // The id a new store gets (random if absent) and an existing one must have.
  std::optional<StoreId> store_id;
  // The next_seq that a new store starts with.
  uint64_t first_seq = 0;
  // Null: PosixEnv(), and an Epoch of its own. Both must outlive the store.
  Env* env = nullptr;
  Epoch* epoch = nullptr;
};

struct PageStoreStats {
  uint64_t generation = 0;
  uint64_t next_seq = 0;
  // Live keys of the tree's leaves: exact while slice_records is 0.
  uint64_t records = 0;
  // Changes that wait in slices, beside the leaves they belong to: puts and deletions of keys that
  // may be in the tree and in other slices, too. An idle store that is tidied has none.
  uint64_t slice_records = 0;
  uint32_t page_size_bytes = 0;
  uint32_t height = 0;  // levels of the tree; 0 when empty
  uint64_t file_pages = 0;
  uint64_t live_pages = 0;
  uint64_t slice_pages = 0;    // of the live ones, without large values
  uint64_t free_pages = 0;     // reusable now
  uint64_t pending_pages = 0;  // freed, and still visible to a View or an older header
  uint64_t cache_bytes = 0;    // frames in use
  uint64_t cache_capacity_bytes = 0;
  uint64_t cache_hits = 0;    // pages found, an estimate
  uint64_t cache_misses = 0;  // exact
  uint64_t cache_evictions = 0;
  uint64_t checkpoints = 0;
  uint64_t pages_written = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_read = 0;
  uint64_t syncs = 0;
};

class PageStoreImpl;
class ViewState;

// Pins a generation: its pages are not reused while a View of it lives. Copies are cheap and pin it
// too. The methods are safe from many threads at once, and Get and MultiGet write to no cache line
// that threads share.
class View {
 public:
  View() = default;

  bool valid() const { return state_ != nullptr; }
  uint64_t generation() const;
  uint64_t next_seq() const;
  // PageStoreStats::records of this generation.
  uint64_t record_count() const;

  // Copies the value to *value, reusing its memory. NotFound without a message.
  absl::Status Get(std::string_view key, std::string* value) const;
  // Without a copy if the value stands in a page. *value then reads memory of the PageStore, which
  // must outlive it.
  absl::Status Get(std::string_view key, PinnedValue* value) const;
  // For each i: (*statuses)[i] and, if it is OK, (*values)[i]. Spans are of equal length. Keys in
  // any order; those whose status is not NotFound on entry are left alone, so that a caller can
  // fill in what it has found elsewhere.
  void MultiGet(absl::Span<const std::string_view> keys, absl::Span<std::string> values,
                absl::Span<absl::Status> statuses) const;
  std::unique_ptr<Cursor> NewCursor() const;

 private:
  friend class PageStore;
  explicit View(std::shared_ptr<const ViewState> state);
  std::shared_ptr<const ViewState> state_;
};

class PageStore {
 public:
  // 1 to kMaxKeyBytes; the same for every page size.
  static constexpr size_t kMaxKeyBytes = 4096;
  static constexpr uint64_t kMaxValueBytes = uint64_t{1} << 30;

  // Opens or makes the store. NotFound, InvalidArgument for options, FailedPrecondition if the file
  // is another store's, of a newer format, or not a store at all; DataLoss if its two
  // headers are not what a crash can leave (header_slots.h), or the file is shorter than they say.
  // Writes nothing to a store that is there. Takes no lock.
  static absl::StatusOr<std::unique_ptr<PageStore>> Open(const std::string& path,
                                                         const PageStoreOptions& options = {});

  ~PageStore();
  PageStore(const PageStore&) = delete;
  PageStore& operator=(const PageStore&) = delete;

  // Of the newest durable generation: every log record below it is in these pages.
  uint64_t next_seq() const;
  // The next_seq() that a power cut may lead back to while what Open found is not known to be
  // durable: that of the generation before. Equal to next_seq() once it is durable, and if there is
  // no generation before. So if the two are equal, no log makes up for the loss: before relying on
  // the store, see EnsureDurable.
  uint64_t fallback_next_seq() const;
  const StoreId& store_id() const;
  const std::string& path() const;

  // The newest durable generation.
  View GetView() const;

  // Applies `changes` and makes the result durable with `next_seq`, which must not be below the
  // current one (InvalidArgument). All or nothing: on an error, and after a crash, the store is as
  // before. ResourceExhausted without space leaves the store usable. `progress`, if given, is
  // called now and then from this thread with the number of changes applied so far; it may sleep to
  // yield the processor.
  absl::Status Checkpoint(uint64_t next_seq, ChangeSource* changes,
                          const std::function<void(uint64_t changes_done)>& progress = nullptr);

  // As Checkpoint with the next_seq that is there, for changes that no log holds. Where a log goes
  // on from next_seq, a disk that loses the write of the newest header is found out by it; here the
  // header in the other slot would pass for the newest, and the changes be gone. So a Load that
  // changes something makes two generations with the same contents, which takes one header and one
  // sync more, and returns when both slots lead to them. An error with the second one poisons the
  // store, and the next open finds the changes.
  absl::Status Load(ChangeSource* changes);

  // Makes durable what Open found: the process that wrote it may have ended before it was.
  // Checkpoint does so by itself, so this is for those who rely on the store before. Errors as of
  // Checkpoint.
  absl::Status EnsureDurable();

  // Rewrites the store densely and gives free space back to the file system, as far as Views allow;
  // for a time the file is longer by the size of its contents. Makes up to three generations,
  // and one more in front of them if there are slices to fold; `on_generation`, if given, is called
  // from this thread after each, so that an owner of a long-lived View can exchange it for a new
  // one.
  absl::Status Compact(const std::function<void()>& on_generation = nullptr);

  // Puts the store in order by a step, with a generation of its own: while there are slices, folds
  // some of them into their leaves, fewer at a time on a full disk. Then makes the file shorter:
  // moves up to a sixteenth of it from its end to free space in front, and gives back what an
  // earlier step has left free. Views of older generations keep their pages. True if another step
  // may find more to do; false also if only some parts in a hundred are free. Large values are not
  // moved. Errors as of Checkpoint.
  absl::StatusOr<bool> Tidy();

  // From now on pages are written 128 KiB at a time while `is_wanted` says that somebody else waits
  // for the disk, and a MiB at a time otherwise, which is faster where pages stand in many places.
  // It is asked in front of such writes, by one thread at a time, and while a Checkpoint, Load,
  // Compact or Tidy runs only. Null, as at first: nobody does.
  void YieldDisk(std::function<bool()> is_wanted);

  // Reads every page of the newest generation and checks every invariant: checksums and identities,
  // keys in order and within their separators, counts, large values, and that each page is
  // reachable once or free. DataLoss naming file and offset of the first thing wrong. `progress`
  // gets pages done and pages in all; it must not call the PageStore.
  absl::Status Verify(const std::function<void(uint64_t done, uint64_t total)>& progress = nullptr);

  // A description of page `id` for people, one item a line (header slots are pages 0 and 1).
  // DataLoss describes what could be read all the same, in the message.
  absl::StatusOr<std::string> DescribePage(uint64_t id);

  PageStoreStats stats() const;

  // No View or Cursor may be used afterwards. The destructor does it too, with errors dropped.
  absl::Status Close();

 private:
  explicit PageStore(std::unique_ptr<PageStoreImpl> impl);
  std::unique_ptr<PageStoreImpl> impl_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_STORE_H_
