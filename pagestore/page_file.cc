#include "pagestore/page_file.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pagestore/node.h"
#include "storage/status.h"

namespace emdb {

absl::StatusOr<std::unique_ptr<File>> OpenStoreFile(Env* env, std::string_view path,
                                                    OpenOptions options) {
  options.direct = true;
  absl::StatusOr<std::unique_ptr<File>> file = env->OpenFile(path, options);
  if (file.ok() || !absl::IsInvalidArgument(file.status())) return file;
  options.direct = false;
  return env->OpenFile(path, options);
}

PageFile::PageFile(std::unique_ptr<File> file, uint32_t page_size, const StoreId& store_id)
    : file_(std::move(file)), page_size_(page_size), crc_seed_(CrcSeed(store_id)) {}

absl::Status PageFile::ReadRun(PageRun run, char* buffer) const {
  const size_t size = size_t{run.count} * page_size_;
  EMDB_RETURN_IF_ERROR(ReadFully(*file_, OffsetOf(run.first), size, buffer));
  counters_.bytes_read.fetch_add(size, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status PageFile::ReadPage(PageRef ref, char* buffer) const {
  EMDB_RETURN_IF_ERROR(ReadRun({ref.id, 1}, buffer));
  return CheckPage(ref, buffer);
}

absl::Status PageFile::ReadNode(PageRef ref, uint32_t level, char* buffer) const {
  EMDB_RETURN_IF_ERROR(ReadRun({ref.id, 1}, buffer));
  return CheckNodePage(ref, level, buffer);
}

absl::Status PageFile::ReadRuns(absl::Span<const PageRun> runs, char* buffer) const {
  std::vector<ReadRequest> requests;
  requests.reserve(runs.size());
  size_t begin = 0;
  for (const PageRun& run : runs) {
    const size_t bytes = size_t{run.count} * page_size_;
    requests.push_back({OffsetOf(run.first), bytes, buffer + begin});
    begin += bytes;
  }
  EMDB_RETURN_IF_ERROR(file_->MultiRead(requests));
  counters_.bytes_read.fetch_add(begin, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status PageFile::ReadPages(absl::Span<const PageId> ids,
                                 absl::Span<char* const> buffers) const {
  std::vector<ReadRequest> requests;
  requests.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    requests.push_back({OffsetOf(ids[i]), page_size_, buffers[i]});
  }
  EMDB_RETURN_IF_ERROR(file_->MultiRead(requests));
  counters_.bytes_read.fetch_add(ids.size() * page_size_, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status PageFile::CheckPage(PageRef ref, const char* page) const {
  const uint32_t crc = ComputePageCrc(crc_seed_, page, page_size_);
  if (crc == ref.crc && PageCrcField(page) == crc && PageIdField(page) == ref.id &&
      PageReservedBytesAreZero(page)) [[likely]] {
    return absl::OkStatus();
  }
  // A page that is whole in itself is not rotten but the wrong one: a write went astray or was
  // lost.
  const std::string_view kind =
      crc == PageCrcField(page) ? "another page or an older state of it" : "damaged bytes";
  return Corruption(ref.id,
                    FromAbsl(absl::StrCat("found ", ToAbsl(kind), ": checksum ", absl::Hex(crc),
                                          " of page ", PageIdField(page), ", expected ",
                                          absl::Hex(ref.crc), " of page ", ref.id)));
}

absl::Status PageFile::CheckNodePage(PageRef ref, uint32_t level, const char* page) const {
  EMDB_RETURN_IF_ERROR(CheckPage(ref, page));
  const absl::Status status = CheckNode(page, page_size_, level);
  return status.ok() ? status : Corruption(ref.id, FromAbsl(status.message()));
}

absl::Status PageFile::Corruption(PageId id, std::string_view what) const {
  return CorruptionError(path(), OffsetOf(id), what, kDamageAdvice);
}

absl::Status PageFile::WriteRun(PageId first, std::string_view pages) {
  EMDB_RETURN_IF_ERROR(file_->WriteAt(OffsetOf(first), pages));
  counters_.bytes_written.fetch_add(pages.size(), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status PageFile::WriteRuns(absl::Span<const PageRun> runs, std::string_view pages) {
  std::vector<WriteRequest> requests;
  requests.reserve(runs.size());
  size_t begin = 0;
  for (const PageRun& run : runs) {
    const size_t bytes = size_t{run.count} * page_size_;
    requests.push_back({OffsetOf(run.first), pages.substr(begin, bytes)});
    begin += bytes;
  }
  EMDB_RETURN_IF_ERROR(file_->MultiWrite(requests));
  counters_.bytes_written.fetch_add(begin, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status PageFile::Sync() {
  counters_.syncs.fetch_add(1, std::memory_order_relaxed);
  return file_->SyncData();
}

absl::Status PageFile::Truncate(uint64_t pages) { return file_->Truncate(pages * page_size_); }

}  // namespace emdb
