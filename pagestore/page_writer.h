// PageWriter: gives new pages a place in free space and writes them, gathered, in large pieces. For
// one checkpoint, by one thread; nothing is synced. The writing itself goes on behind the caller's
// back (write_behind.h): Finish waits for it, and reports what went wrong.
//
// Pages get consecutive numbers in the order they are asked for, as far as free space has runs, so
// that what is written together can be read together.

#ifndef EMDB_PAGESTORE_PAGE_WRITER_H_
#define EMDB_PAGESTORE_PAGE_WRITER_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/free_space.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "pagestore/write_behind.h"

namespace emdb {

class PageWriter {
 public:
  struct Slot {
    PageId first = kNoPage;
    char* data = nullptr;
  };

  // All outlive it. Pages that are given a place are erased from the cache first. `disk_is_wanted`
  // is for WriteBehind.
  PageWriter(PageFile* file, FreeSpace* free_space, PageCache* cache,
             std::function<bool()> disk_is_wanted = nullptr);

  // Room for one page, to be filled before the next call.
  absl::StatusOr<Slot> NextPage() { return Reserve(1); }
  // Writes a large value to an extent of its own.
  absl::StatusOr<ExtentRef> WriteValue(std::string_view value);
  // Writes what is gathered, waits until all is written, and gives unused pages back.
  absl::Status Finish();

  // All pages that were given a place, also after an error.
  const std::vector<PageRun>& placed() const { return placed_; }
  uint64_t pages_written() const { return pages_written_; }

 private:
  absl::StatusOr<Slot> Reserve(uint32_t count);
  absl::Status Flush();
  absl::Status TakeRun(uint32_t count);
  // Notes that the run, which was just allocated, is the writer's. Returns it.
  PageRun Place(PageRun run);
  absl::Status WriteLongValue(std::string_view value, PageRun run);

  PageFile* const file_;
  FreeSpace* const free_space_;
  PageCache* const cache_;
  const uint32_t page_size_;
  const uint32_t capacity_;  // pages of a buffer
  WriteBehind behind_;
  std::vector<PageRun> gathered_runs_;  // where what is in behind_.buffer() is to go
  uint32_t gathered_ = 0;               // pages of them
  PageRun run_;                         // placed, not yet handed out
  std::vector<PageRun> placed_;
  uint64_t pages_written_ = 0;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_WRITER_H_
