// PageStoreImpl: the state of an open store and what changes it. page_store.h is its public face
// and says what each operation promises.
//
// Locks: writer_mutex_ (one Checkpoint, Compact or Verify at a time) before state_mutex_ (the
// newest generation and what stats() reports; held for moments only).

#ifndef EMDB_PAGESTORE_PAGE_STORE_IMPL_H_
#define EMDB_PAGESTORE_PAGE_STORE_IMPL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/frame_arena.h"
#include "pagestore/free_space.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/page_writer.h"
#include "pagestore/store_opener.h"
#include "pagestore/tree.h"
#include "pagestore/tree_builder.h"
#include "pagestore/tree_writer.h"
#include "pagestore/view_state.h"
#include "storage/epoch.h"
#include "storage/mutex.h"

namespace emdb {

class PageStoreImpl {
 public:
  static absl::StatusOr<std::unique_ptr<PageStoreImpl>> Open(const std::string& path,
                                                             PageStoreOptions options);
  PageStoreImpl(const PageStoreImpl&) = delete;
  PageStoreImpl& operator=(const PageStoreImpl&) = delete;

  const std::string& path() const { return file_.path(); }
  const StoreId& store_id() const { return store_id_; }
  std::shared_ptr<const ViewState> current() const ABSL_LOCKS_EXCLUDED(state_mutex_);
  uint64_t fallback_next_seq() const ABSL_LOCKS_EXCLUDED(state_mutex_);

  absl::Status Checkpoint(uint64_t next_seq, ChangeSource* changes,
                          const TreeWriter::Progress& progress) ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::Status Load(ChangeSource* changes) ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::Status EnsureDurable() ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::Status Compact(const std::function<void()>& on_generation)
      ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::StatusOr<bool> Tidy() ABSL_LOCKS_EXCLUDED(writer_mutex_);
  void YieldDisk(std::function<bool()> is_wanted) ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::Status Verify(const std::function<void(uint64_t, uint64_t)>& progress)
      ABSL_LOCKS_EXCLUDED(writer_mutex_);
  absl::StatusOr<std::string> DescribePage(uint64_t id);
  PageStoreStats stats() const ABSL_LOCKS_EXCLUDED(state_mutex_);
  absl::Status Close() ABSL_LOCKS_EXCLUDED(writer_mutex_);

 private:
  // Makes the new tree of a generation.
  using MakeTree = std::function<absl::StatusOr<TreeBuilder::Root>(TreeWriter*)>;
  // Counts of this process that only grow, and free space as of the last generation.
  struct Counts {
    uint64_t checkpoints = 0;
    uint64_t pages_written = 0;
    uint64_t free_pages = 0;
    uint64_t pending_pages = 0;
  };

  PageStoreImpl(OpenedStore store, FrameArena frames, const PageStoreOptions& options);

  Tree TreeOf(const StoreHeader& header);
  absl::Status CheckWritable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  // Makes the header durable that Open found, once.
  absl::Status ConfirmFound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  struct Writing {
    // Where the changes come from: that it is short of something says nothing of the disk.
    const ChangeSource* source = nullptr;
    // As two generations, if it has another tree than the one before; else the header before it
    // stays in its slot.
    bool in_both_slots = false;
  };
  // Writes the generation after the newest one, durably, and makes it the newest.
  absl::Status WriteGeneration(uint64_t next_seq, const MakeTree& make, const Writing& writing)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  // A generation with the slices of about `pages` pages of nodes folded: TreeWriter::Fold.
  absl::Status Fold(uint64_t pages, std::string* from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::Status FoldStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  // Everything of the new generation but its header; fills in *header.
  absl::Status WritePages(const MakeTree& make, PageWriter* writer, StoreHeader* header)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::StatusOr<PageId> EndToMove() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  // Notes whether what was to be moved has been; `header` is the new one.
  void NoteMove(PageId move_from, const StoreHeader& header)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::Status MakeDurable(const StoreHeader& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  // The half of it that comes when all pages are durable.
  absl::Status MakeHeaderDurable(const StoreHeader& header)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::Status Poison(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  void Publish(const StoreHeader& header, uint64_t pages_written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  void Reclaim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  void GiveBackEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);

  const StoreId store_id_;
  Env* const env_;
  const bool read_only_;
  const uint64_t slices_above_bytes_;
  const std::unique_ptr<Epoch> own_epoch_;  // null: the options had one
  PageFile file_;
  PageCache cache_;
  const std::shared_ptr<GenerationRegistry> registry_;

  Mutex writer_mutex_ ABSL_ACQUIRED_BEFORE(state_mutex_);
  FreeSpace free_space_ ABSL_GUARDED_BY(writer_mutex_);
  StoreHeader header_ ABSL_GUARDED_BY(writer_mutex_);
  // Written under writer_mutex_, and true for good once it is.
  std::atomic<bool> header_is_durable_;
  absl::Status poison_ ABSL_GUARDED_BY(writer_mutex_);
  bool closed_ ABSL_GUARDED_BY(writer_mutex_) = false;
  std::function<bool()> disk_is_wanted_ ABSL_GUARDED_BY(writer_mutex_);
  // When the generation being written moves the end of the file to the front, if it ever does.
  std::optional<FreeSpace::Shrink> shrink_ ABSL_GUARDED_BY(writer_mutex_) =
      FreeSpace::Shrink::kWhenHalfIsFree;
  // UINT32_MAX, or: what stands from this page on was to be moved and stayed where it is (large
  // values do), so that looking for it again is of no use until some of it goes.
  PageId stuck_from_ ABSL_GUARDED_BY(writer_mutex_) = UINT32_MAX;
  // Where the next Tidy goes on with folding, so that a step does not look again at all nodes that
  // earlier ones have folded; and how much it folds.
  std::string fold_next_ ABSL_GUARDED_BY(writer_mutex_);
  uint64_t fold_pages_ ABSL_GUARDED_BY(writer_mutex_);
  // The first generation that need not save space any more.
  uint64_t short_until_ ABSL_GUARDED_BY(writer_mutex_) = 0;
  // The last Tidy moved pages, and the file did not get shorter yet.
  bool tidy_is_waiting_ ABSL_GUARDED_BY(writer_mutex_) = false;

  mutable Mutex state_mutex_;
  std::shared_ptr<const ViewState> current_ ABSL_GUARDED_BY(state_mutex_);
  uint64_t fallback_next_seq_ ABSL_GUARDED_BY(state_mutex_);
  Counts counts_ ABSL_GUARDED_BY(state_mutex_);
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_STORE_IMPL_H_
