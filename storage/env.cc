#include "storage/env.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/aligned_buffer.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb {

std::string DirectoryOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string_view FileNameOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

absl::Status Preallocate(File* file, uint64_t offset, uint64_t size) {
  constexpr uint64_t kPieceBytes = 1 << 20;
  EMDB_CHECK(offset % kDirectAlignment == 0 && size % kDirectAlignment == 0);
  if (size == 0) return absl::OkStatus();

  // First, so that a full disk shows before anything is written, and the extents are contiguous.
  EMDB_RETURN_IF_ERROR(file->Reserve(offset, size));
  const AlignedBuffer zeros(std::min(size, kPieceBytes));
  std::memset(zeros.data(), 0, zeros.size());
  const uint64_t end = offset + size;
  while (offset < end) {
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(end - offset, zeros.size()));
    EMDB_RETURN_IF_ERROR(file->WriteAt(offset, std::string_view(zeros.data(), piece)));
    offset += piece;
  }
  return absl::OkStatus();
}

absl::Status ReadFully(const File& file, uint64_t offset, size_t size, char* buffer) {
  EMDB_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(offset, size, buffer));
  if (got == size) return absl::OkStatus();
  return CorruptionError(file.path(), offset,
                         absl::StrCat("expected ", size, " bytes, the file ends after ", got),
                         "it was cut short: restore it from a backup, or salvage what is left");
}

}  // namespace emdb
