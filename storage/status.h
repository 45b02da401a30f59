// Errors of the whole project: two macros that pass a status on, and the two constructors that give
// every I/O error and every corruption the same shape.
//
// Codes: DataLoss, bytes on disk that cannot be right. ResourceExhausted, no space, no descriptors.
// PermissionDenied, NotFound, InvalidArgument as usual. FailedPrecondition, locked, closed or
// poisoned. A message says operation, file, offset, expected, found, and what to do.

#ifndef EMDB_STORAGE_STATUS_H_
#define EMDB_STORAGE_STATUS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Returns the status of `expr` from the enclosing function unless it is OK.
#define EMDB_RETURN_IF_ERROR(expr)       \
  do {                                   \
    absl::Status emdb_status_ = (expr);  \
    if (!emdb_status_.ok()) [[unlikely]] \
      return emdb_status_;               \
  } while (false)

// Evaluates `expr`, a StatusOr, and assigns its value to `lhs`, or returns its status.
#define EMDB_ASSIGN_OR_RETURN(lhs, expr) \
  EMDB_ASSIGN_OR_RETURN_IMPL_(EMDB_STATUS_CONCAT_(emdb_or_, __LINE__), lhs, expr)
#define EMDB_ASSIGN_OR_RETURN_IMPL_(var, lhs, expr) \
  auto var = (expr);                                \
  if (!var.ok()) [[unlikely]]                       \
    return std::move(var).status();                 \
  lhs = *std::move(var)
#define EMDB_STATUS_CONCAT_(a, b) EMDB_STATUS_CONCAT_INNER_(a, b)
#define EMDB_STATUS_CONCAT_INNER_(a, b) a##b

namespace emdb {

// Debian's Abseil has its own string_view type; this is the one place that converts.
inline absl::string_view ToAbsl(std::string_view s) {
  return absl::string_view(s.data(), s.size());
}
inline std::string_view FromAbsl(absl::string_view s) {
  return std::string_view(s.data(), s.size());
}

// The status for a failed system call: `operation` ("write", "fdatasync", ...) on `path` with
// `error_number`. ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM and EFBIG are ResourceExhausted, ENOENT
// NotFound, EACCES, EPERM and EROFS PermissionDenied, EEXIST AlreadyExists, EINVAL InvalidArgument,
// everything else (EIO) Unavailable.
absl::Status IoError(int error_number, std::string_view operation, std::string_view path);

// DataLoss for bytes of `path` at `offset` that are not what they must be. `what` names the thing
// and what was expected and found; `advice` says what the user can do.
absl::Status CorruptionError(std::string_view path, uint64_t offset, std::string_view what,
                             std::string_view advice);

// `bytes` for a message: quoted, escaped, and cut after 64 of them.
std::string Shown(std::string_view bytes);

// The same code with `context` and ": " in front of the message.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace emdb

#endif  // EMDB_STORAGE_STATUS_H_
