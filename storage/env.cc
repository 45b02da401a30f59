#include "storage/env.h"

#include "absl/strings/str_cat.h"
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

absl::Status ReadFully(const File& file, uint64_t offset, size_t size, char* buffer) {
  EMDB_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(offset, size, buffer));
  if (got == size) return absl::OkStatus();
  return CorruptionError(file.path(), offset,
                         absl::StrCat("expected ", size, " bytes, the file ends after ", got),
                         "it was cut short: restore it from a backup, or salvage what is left");
}

}  // namespace emdb
