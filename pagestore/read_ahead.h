// ReadAhead: reads the children of a node that are wanted one after another, many at once, wherever
// they stand in the file. The more of them are wanted in a row, the more it reads.
//
// For one thread. Keeps its pages to itself: nothing goes into the cache.

#ifndef EMDB_PAGESTORE_READ_AHEAD_H_
#define EMDB_PAGESTORE_READ_AHEAD_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "storage/aligned_buffer.h"

namespace emdb {

class ReadAhead {
 public:
  // Reads up to `max_pages` at once; takes memory for them when it first reads.
  ReadAhead(const PageFile* file, uint32_t max_pages) : file_(file), max_pages_(max_pages) {}

  // The node refs[0], checked, readable until the next call; the others are what will be wanted
  // next, in this order, if all goes on as it did. DataLoss and I/O errors of refs[0].
  absl::StatusOr<const char*> Read(absl::Span<const PageRef> refs, uint32_t level);

  // Whether Read of the page would read nothing, and refs beside it are of no use.
  bool Holds(PageId id) const { return std::binary_search(held_.begin(), held_.end(), id); }
  // How many references Read can make use of.
  uint32_t max_pages() const { return max_pages_; }
  // The next Read does not go on where the last one was: it reads one page.
  void Restart() { window_ = 1; }
  // All that stands behind the next page is wanted, too: the next Read reads as much as it can.
  void ExpectAll() { window_ = max_pages_; }

 private:
  // Reads refs[0], and others with it if they can be read.
  absl::Status Fill(absl::Span<const PageRef> refs);
  // Reads these pages, which ascend.
  absl::Status FillWith(std::vector<PageId> ids);

  const PageFile* const file_;
  const uint32_t max_pages_;
  AlignedBuffer buffer_;
  std::vector<PageId> held_;  // the pages in buffer_, ascending
  uint32_t window_ = 1;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_READ_AHEAD_H_
