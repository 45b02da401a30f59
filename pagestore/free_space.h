// FreeSpace: which pages of the store may be written to, on behalf of the one writer.
//
// A page is used (the working generation reaches it), pending (freed, but a generation that a View
// pins or that the file's header names still reaches it) or free. Only free pages are handed out:
// the lowest ones first, so that the end of the file empties, and in runs, so that writes are
// large.
//
// The map on disk is copied on write like the tree: a checkpoint writes the bitmap pages that
// changed and the index pages above them, so its cost follows what changed. It says what the
// generation uses; pending pages are free in it, because after a reopen nobody reads older ones.
//
// Order of calls in a checkpoint: Reclaim; Allocate, GiveBack and Free as the tree is written;
// WriteMap; then, when the header is durable, Commit. After any failure before that: Reset.
//
// Not thread safe.

#ifndef EMDB_PAGESTORE_FREE_SPACE_H_
#define EMDB_PAGESTORE_FREE_SPACE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/free_map.h"
#include "pagestore/page_bitmap.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"

namespace emdb {

class FreeSpace {
 public:
  // How much has to be free for the end of the file to be moved.
  enum class Shrink {
    // Half of it: less will be needed by the next checkpoints, and would only go to and fro. A few
    // MiB are moved at a time, so that what a checkpoint costs does not follow the file.
    kWhenHalfIsFree,
    // A few parts in a hundred, down to holes of a single page: nothing else is to be done.
    kWhenIdle,
  };

  // `file` outlives it.
  explicit FreeSpace(PageFile* file) : file_(file) {}

  // Goes back to the state of `header`, a durable one; what is pending stays so. Reads nothing yet.
  void Reset(const StoreHeader& header);
  // Whether space is short, as where the file cannot grow: from the next Reset or Reclaim on the
  // smallest holes are taken, too, and not only those that are worth a write of their own.
  void set_is_short(bool is_short) { is_short_ = is_short; }
  bool is_short() const { return is_short_; }

  // Up to `max` pages in a row, at least one, where they suit large writes best. ResourceExhausted
  // if the file cannot have more pages.
  absl::StatusOr<PageRun> AllocateUpTo(uint32_t max);
  absl::StatusOr<PageRun> AllocateExactly(uint32_t count);
  // Takes back pages that were allocated since the last Commit and that nothing refers to.
  absl::Status GiveBack(PageRun run);
  // The working generation no longer uses pages that the durable one does. DataLoss if the map says
  // that they are not in use.
  absl::Status Free(PageRun run);

  // From here on allocates only behind all used and pending pages, up to the next Reclaim.
  absl::Status SearchFromEnd();
  // When much of the file is free, the page from which on all that is used should move to the
  // front, so that the file can get shorter: a part of it at a time, and never more than there is
  // room for. UINT32_MAX otherwise.
  absl::StatusOr<PageId> EndToMove(Shrink when);
  // Whether EndToMove(Shrink::kWhenIdle) would move anything.
  bool HasSpaceToGiveBack() const { return IsSparse(Shrink::kWhenIdle); }

  // Writes the map, with those of its pages that stand at `move_from` or behind, and fills in the
  // header's fields on it and on the file's size, which is without the free pages at the end.
  absl::Status WriteMap(StoreHeader* header, PageId move_from);
  // The header of `generation` is durable: what was freed becomes pending.
  void Commit(uint64_t generation);
  // Pages freed by generations up to `oldest_generation`, the oldest that is still read, become
  // free. Returns them.
  std::vector<PageRun> Reclaim(uint64_t oldest_generation);

  // Freed since the last Commit.
  const std::vector<PageRun>& freed() const { return freed_; }
  uint64_t file_pages() const { return file_pages_; }
  uint64_t used_pages() const { return used_pages_; }
  uint64_t pending_pages() const { return pending_pages_; }
  uint64_t free_pages() const { return file_pages_ - used_pages_ - pending_pages_; }

 private:
  struct Chunk {
    std::unique_ptr<PageBitmap> used;     // null: not read yet
    std::unique_ptr<PageBitmap> blocked;  // used or pending
  };
  struct NodeState {
    bool dirty = false;
    PageId new_id = kNoPage;  // where its next state goes
  };
  struct Pending {
    uint64_t generation;
    std::vector<PageRun> runs;
  };

  uint32_t chunk_pages() const { return BitmapPages(file_->page_size()); }
  absl::Status LoadIndex();
  void RestartSearch();
  bool IsSparse(Shrink when) const;
  absl::StatusOr<Chunk*> LoadChunk(uint32_t index);
  void AddChunks(uint64_t file_pages);

  absl::StatusOr<PageRun> Allocate(uint32_t min, uint32_t max, uint64_t* hint);
  absl::StatusOr<uint64_t> NextUnblocked(uint64_t from);
  absl::StatusOr<uint64_t> NextBlocked(uint64_t from, uint64_t limit);
  bool IsFull(uint32_t chunk) const;
  // Calls `change(chunk index, chunk, begin, end)` for the part of `run` in each chunk.
  template <typename Change>
  absl::Status ForEachPart(PageRun run, Change change);

  absl::Status TrimEnd();
  // Forgets the last map page of a level.
  absl::Status DropLast(uint32_t level);
  absl::Status AdoptShape();
  void MoveNodes(PageId move_from);
  absl::Status PlaceDirtyNodes(bool* placed);
  absl::Status WriteNode(uint32_t level, uint32_t position, uint64_t generation);

  PageFile* const file_;
  StoreHeader base_;
  bool index_loaded_ = false;
  FreeMap map_;
  std::vector<std::vector<NodeState>> states_;  // of map_.levels
  std::vector<Chunk> chunks_;                   // of map_.levels[0]
  uint64_t file_pages_ = kHeaderSlots;
  uint64_t used_pages_ = kHeaderSlots;
  uint64_t pending_pages_ = 0;
  uint32_t preferred_run_ = 1;
  bool is_short_ = false;
  uint64_t hint_ = 0;  // no run of preferred_run_ pages is free in front of it
  // Where the search for an exact number begins, by the number's bit width, at the farthest of its
  // own and of all lower ones: what was too small for one of them is too small for it. What is
  // given back in front of it, and holes that were too small for another of its own width, are left
  // to the next Reclaim: else each large value behind a leaf would look at every hole again.
  std::array<uint64_t, 33> exact_hints_ = {};
  std::vector<PageRun> freed_;
  std::deque<Pending> pending_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_FREE_SPACE_H_
