#include "kv/size_limits.h"

#include "absl/strings/str_cat.h"

namespace emdb {

absl::Status BadKeySize(size_t size_bytes) {
  return absl::InvalidArgumentError(absl::StrCat(
      "a key has ", size_bytes, " bytes; keys have 1 to ", batch_format::kMaxKeyBytes));
}

absl::Status BadValueSize(size_t size_bytes) {
  return absl::InvalidArgumentError(absl::StrCat("a value has ", size_bytes, " bytes; the most is ",
                                                 batch_format::kMaxValueBytes));
}

}  // namespace emdb
