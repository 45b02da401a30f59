// PageFile: the store's file as numbered pages. Reads are checked: bytes that are not what their
// reference says are DataLoss, and never reach a caller as a page.
//
// Uses O_DIRECT where the file system has it: the cache is ours, and large buffered writes fall to
// a third of the speed. Thread safe. Not: the header slots (header_slots.h), nor what pages mean.

#ifndef EMDB_PAGESTORE_PAGE_FILE_H_
#define EMDB_PAGESTORE_PAGE_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pagestore/page_format.h"
#include "storage/env.h"

namespace emdb {

// What to do about damage, for the end of a message.
inline constexpr std::string_view kDamageAdvice =
    "run `emdb verify` to see what else is damaged, and restore the store from a backup";

// Opens `path` for direct I/O if the file system can, for buffered I/O otherwise.
absl::StatusOr<std::unique_ptr<File>> OpenStoreFile(Env* env, std::string_view path,
                                                    OpenOptions options);

class PageFile {
 public:
  struct Counters {
    std::atomic<uint64_t> bytes_read{0};
    std::atomic<uint64_t> bytes_written{0};
    std::atomic<uint64_t> syncs{0};
  };

  PageFile(std::unique_ptr<File> file, uint32_t page_size, const StoreId& store_id);

  uint32_t page_size() const { return page_size_; }
  uint32_t crc_seed() const { return crc_seed_; }
  const std::string& path() const { return file_->path(); }
  uint64_t OffsetOf(PageId id) const { return uint64_t{id} * page_size_; }
  const Counters& counters() const { return counters_; }

  // Buffers are aligned to kDirectAlignment and hold whole pages.
  // Unchecked bytes; DataLoss if the file ends before.
  absl::Status ReadRun(PageRun run, char* buffer) const;
  // ReadRun of one page, and CheckPage.
  absl::Status ReadPage(PageRef ref, char* buffer) const;
  // ReadPage of a node of `level`, and CheckNode: on OK the page is safe to view.
  absl::Status ReadNode(PageRef ref, uint32_t level, char* buffer) const;

  // ReadRun of many runs, side by side, one behind the other in `buffer`.
  absl::Status ReadRuns(absl::Span<const PageRun> runs, char* buffer) const;
  // The same of single pages, each to a place of its own.
  absl::Status ReadPages(absl::Span<const PageId> ids, absl::Span<char* const> buffers) const;

  // OK if `page` is the page that `ref` stands for.
  absl::Status CheckPage(PageRef ref, const char* page) const;
  // CheckPage and CheckNode.
  absl::Status CheckNodePage(PageRef ref, uint32_t level, const char* page) const;
  // DataLoss for page `id`, in the one form that all such errors have.
  absl::Status Corruption(PageId id, std::string_view what) const;

  absl::Status WriteRun(PageId first, std::string_view pages);
  // The pages of all runs stand one behind the other in `pages`.
  absl::Status WriteRuns(absl::Span<const PageRun> runs, std::string_view pages);
  // For the header slots.
  File* file() { return file_.get(); }
  // Not to be called again after an error: the kernel may have dropped what was written.
  absl::Status Sync();
  absl::StatusOr<uint64_t> Size() const { return file_->Size(); }
  absl::Status Truncate(uint64_t pages);
  absl::Status Close() { return file_->Close(); }

 private:
  const std::unique_ptr<File> file_;
  const uint32_t page_size_;
  const uint32_t crc_seed_;
  mutable Counters counters_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_FILE_H_
