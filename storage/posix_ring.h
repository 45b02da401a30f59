// The memory of a ring: one range of a file mapped twice in a row. See RingMapping in file.h.

#ifndef EMDB_STORAGE_POSIX_RING_H_
#define EMDB_STORAGE_POSIX_RING_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/file.h"

namespace emdb {

// Env::MapRing on a file of the operating system.
absl::StatusOr<std::unique_ptr<RingMapping>> MapPosixRing(std::string_view path, size_t size);

// A ring of zeros that no file system holds; `name` is for messages.
absl::StatusOr<std::unique_ptr<RingMapping>> MapAnonymousRing(std::string_view name, size_t size);

}  // namespace emdb

#endif  // EMDB_STORAGE_POSIX_RING_H_
