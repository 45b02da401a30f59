#include "storage/file.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {

absl::Status File::MultiRead(absl::Span<const ReadRequest> requests) const {
  for (const ReadRequest& request : requests) {
    EMDB_RETURN_IF_ERROR(ReadFully(*this, request.offset, request.size, request.buffer));
  }
  return absl::OkStatus();
}

absl::Status File::MultiWrite(absl::Span<const WriteRequest> requests) {
  for (const WriteRequest& request : requests) {
    EMDB_RETURN_IF_ERROR(WriteAt(request.offset, request.data));
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
