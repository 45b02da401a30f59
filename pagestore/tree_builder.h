// TreeBuilder: writes a tree from left to right, out of records in key order and of whole subtrees
// that are kept as they are. Each level gathers entries until a page is full; a written page
// becomes an entry of the level above.
//
// A run is what a level gathers between two kept nodes. In the middle of a tree pages are filled to
// nine tenths, so that a later change does not split them at once, and the last two of a run are
// evened out if the last one would be small. At the end of a tree (set_append) they are filled up
// and the last one stays as it is, to be continued by the next checkpoint.
//
// Not thread safe. After an error nothing but the destructor may be called.

#ifndef EMDB_PAGESTORE_TREE_BUILDER_H_
#define EMDB_PAGESTORE_TREE_BUILDER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/page_writer.h"

namespace emdb {

class TreeBuilder {
 public:
  struct Root {
    PageRef ref;
    uint32_t height = 0;
  };

  // `file`, `writer` and `cache` outlive it. Pages say that `generation` wrote them.
  TreeBuilder(const PageFile* file, PageWriter* writer, PageCache* cache, uint64_t generation);

  // All that follows up to the next AddSubtree has keys >= `lower`, and all before has lower ones.
  // Does nothing while a run is going on.
  void BeginRun(std::string_view lower);
  // Within a run. An entry of any size that IsInlineValue allows fits.
  absl::Status AddRecord(const NodeItems::Entry& record) { return Add(0, record); }
  // Ends the run and keeps the node `ref` of `level`, all of whose keys are >= `lower`.
  absl::Status AddSubtree(std::string_view lower, PageRef ref, uint32_t level);

  // True if a node of `level` or below that the next AddSubtree would write is so small that its
  // right neighbour should be added entry by entry instead.
  bool WantsNeighbour(uint32_t level) const;

  void set_append(bool append) { append_ = append; }
  // Whether the leaves that follow push others out of the cache, or are kept only if there is room.
  void set_evict_for_leaves(bool evict) { evict_for_leaves_ = evict; }

  // Writes what is left. The tree is empty if nothing was added.
  absl::StatusOr<Root> Finish();

 private:
  struct Level {
    explicit Level(uint8_t level) : closed(level), open(level) {}
    NodeItems closed;  // a full page that waits for what comes behind it
    NodeItems open;
    bool any_written = false;
  };

  Level& At(uint32_t level);
  // The most that a node may fill: those of level 1 leave room for slices.
  size_t Capacity(uint32_t level) const;
  size_t FillLimit(uint32_t level) const;
  absl::Status Add(uint32_t level, const NodeItems::Entry& entry);
  absl::Status EndRun(uint32_t level);
  absl::Status WriteEvenly(uint32_t level, const NodeItems& items, size_t fallback_cut);
  absl::Status Write(uint32_t level, const NodeItems& items, size_t begin, size_t end);
  std::string LeafSeparator(const NodeItems& items, size_t begin) const;

  const PageFile* const file_;
  PageWriter* const writer_;
  PageCache* const cache_;
  const uint64_t generation_;
  const uint32_t page_size_;
  bool append_ = false;
  bool evict_for_leaves_ = false;

  std::deque<Level> levels_;  // grows while references to its elements are held
  bool in_run_ = false;       // of leaves
  std::string run_lower_;
  std::string last_key_;  // of the last leaf written in this run; empty if there is none
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_TREE_BUILDER_H_
