#include "storage/status.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace emdb {
namespace {

absl::StatusCode CodeForErrno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EINVAL:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

absl::Status IoError(int error_number, std::string_view operation, std::string_view path) {
  return absl::Status(CodeForErrno(error_number),
                      absl::StrCat(ToAbsl(operation), " ", ToAbsl(path), ": ",
                                   std::generic_category().message(error_number)));
}

absl::Status CorruptionError(std::string_view path, uint64_t offset, std::string_view what,
                             std::string_view advice) {
  return absl::DataLossError(
      absl::StrCat(ToAbsl(path), " at offset ", offset, ": ", ToAbsl(what), "; ", ToAbsl(advice)));
}

std::string Shown(std::string_view bytes) {
  constexpr size_t kMaxShown = 64;
  std::string text = absl::CHexEscape(ToAbsl(bytes.substr(0, kMaxShown)));
  if (bytes.size() > kMaxShown) absl::StrAppend(&text, "... (", bytes.size(), " bytes)");
  return absl::StrCat("\"", text, "\"");
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(ToAbsl(context), ": ", status.message()));
}

}  // namespace emdb
