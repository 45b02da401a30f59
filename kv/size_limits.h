// The sizes that a key and a value may have: InvalidArgument, which says so, for others.

#ifndef EMDB_KV_SIZE_LIMITS_H_
#define EMDB_KV_SIZE_LIMITS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "kv/batch_format.h"

namespace emdb {

absl::Status BadKeySize(size_t size_bytes);
absl::Status BadValueSize(size_t size_bytes);

inline absl::Status CheckKeySize(size_t size_bytes) {
  if (size_bytes > 0 && size_bytes <= batch_format::kMaxKeyBytes) [[likely]]
    return absl::OkStatus();
  return BadKeySize(size_bytes);
}

inline absl::Status CheckValueSize(size_t size_bytes) {
  if (size_bytes <= batch_format::kMaxValueBytes) [[likely]]
    return absl::OkStatus();
  return BadValueSize(size_bytes);
}

}  // namespace emdb

#endif  // EMDB_KV_SIZE_LIMITS_H_
