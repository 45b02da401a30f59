#include "pagestore/value_reader.h"

#include <algorithm>

#include "storage/aligned_buffer.h"
#include "storage/crc32c.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

absl::Status AppendPieces(const PageFile& file, const ExtentRef& extent, std::string* value) {
  const uint32_t page_size = file.page_size();
  const PageRun run = {extent.first, extent.pages(page_size)};
  // A size that the file cannot hold is not worth asking memory for.
  EMDB_ASSIGN_OR_RETURN(const uint64_t file_bytes, file.Size());
  if (run.end() * page_size > file_bytes) {
    return file.Corruption(run.first, "a large value reaches behind the end of the file");
  }
  value->reserve(extent.size);
  const uint32_t piece_pages = static_cast<uint32_t>(kPieceBytes / page_size);
  AlignedBuffer piece(size_t{std::min(piece_pages, run.count)} * page_size);
  for (uint32_t at = 0; at < run.count; at += piece_pages) {
    const uint32_t pages = std::min(piece_pages, run.count - at);
    EMDB_RETURN_IF_ERROR(file.ReadRun({run.first + at, pages}, piece.data()));
    const size_t left = extent.size - value->size();
    value->append(piece.data(), std::min(size_t{pages} * page_size, left));
  }
  if (ExtendCrc32c(file.crc_seed(), *value) != extent.crc) {
    return file.Corruption(run.first, "a large value that does not match its checksum");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadValue(const PageFile& file, const ExtentRef& extent, std::string* value) {
  value->clear();
  absl::Status status = AppendPieces(file, extent, value);
  if (!status.ok()) value->clear();
  return status;
}

}  // namespace emdb
