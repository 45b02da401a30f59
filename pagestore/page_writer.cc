#include "pagestore/page_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/types/span.h"
#include "storage/crc32c.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

PageWriter::PageWriter(PageFile* file, FreeSpace* free_space, PageCache* cache,
                       std::function<bool()> disk_is_wanted)
    : file_(file),
      free_space_(free_space),
      cache_(cache),
      page_size_(file->page_size()),
      capacity_(static_cast<uint32_t>(kBufferBytes / page_size_)),
      behind_(file, kBufferBytes, std::move(disk_is_wanted)) {}

absl::Status PageWriter::Flush() {
  if (gathered_ == 0) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(behind_.Write(gathered_runs_));
  pages_written_ += gathered_;
  gathered_runs_.clear();
  gathered_ = 0;
  return absl::OkStatus();
}

PageRun PageWriter::Place(PageRun run) {
  placed_.push_back(run);
  cache_->Erase({run});
  return run;
}

absl::Status PageWriter::TakeRun(uint32_t count) {
  if (run_.count > 0) EMDB_RETURN_IF_ERROR(free_space_->GiveBack(run_));
  run_ = {};
  EMDB_ASSIGN_OR_RETURN(const PageRun run, count == 1 ? free_space_->AllocateUpTo(capacity_)
                                                      : free_space_->AllocateExactly(count));
  run_ = Place(run);
  return absl::OkStatus();
}

absl::StatusOr<PageWriter::Slot> PageWriter::Reserve(uint32_t count) {
  if (gathered_ + count > capacity_) EMDB_RETURN_IF_ERROR(Flush());
  if (run_.count < count) EMDB_RETURN_IF_ERROR(TakeRun(count));
  AppendRun({run_.first, count}, &gathered_runs_);
  const Slot slot = {run_.first, behind_.buffer() + size_t{gathered_} * page_size_};
  gathered_ += count;
  run_.first += count;
  run_.count -= count;
  return slot;
}

absl::StatusOr<ExtentRef> PageWriter::WriteValue(std::string_view value) {
  ExtentRef extent;
  extent.size = static_cast<uint32_t>(value.size());
  extent.crc = ExtendCrc32c(file_->crc_seed(), value);
  const uint32_t pages = extent.pages(page_size_);
  if (pages <= capacity_) {
    EMDB_ASSIGN_OR_RETURN(const Slot slot, Reserve(pages));
    std::memcpy(slot.data, value.data(), value.size());
    std::memset(slot.data + value.size(), 0, size_t{pages} * page_size_ - value.size());
    extent.first = slot.first;
    return extent;
  }
  EMDB_RETURN_IF_ERROR(Flush());
  EMDB_ASSIGN_OR_RETURN(const PageRun run, free_space_->AllocateExactly(pages));
  EMDB_RETURN_IF_ERROR(WriteLongValue(value, Place(run)));
  extent.first = run.first;
  return extent;
}

absl::Status PageWriter::WriteLongValue(std::string_view value, PageRun run) {
  for (PageId at = run.first; at < run.end();) {
    const uint32_t pages = static_cast<uint32_t>(std::min<uint64_t>(capacity_, run.end() - at));
    const size_t bytes = size_t{pages} * page_size_;
    const size_t copied = std::min(bytes, value.size());
    char* const buffer = behind_.buffer();
    std::memcpy(buffer, value.data(), copied);
    std::memset(buffer + copied, 0, bytes - copied);
    value.remove_prefix(copied);
    EMDB_RETURN_IF_ERROR(behind_.Write({{static_cast<PageId>(at), pages}}));
    pages_written_ += pages;
    at += pages;
  }
  return absl::OkStatus();
}

absl::Status PageWriter::Finish() {
  EMDB_RETURN_IF_ERROR(Flush());
  EMDB_RETURN_IF_ERROR(behind_.Finish());
  if (run_.count > 0) EMDB_RETURN_IF_ERROR(free_space_->GiveBack(run_));
  run_ = {};
  return absl::OkStatus();
}

}  // namespace emdb
