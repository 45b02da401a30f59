// A batch that is larger than a log record may be goes to the log in parts, in records that follow
// one another; its seq is that of the last one. Only a batch with one of the very largest values
// needs it. Bytes: kv/FORMAT.md.

#ifndef EMDB_KV_SPLIT_BATCH_H_
#define EMDB_KV_SPLIT_BATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace emdb {

// Passes `batch` to `append`, in parts if it is larger than `max_record_bytes`. Returns the seq of
// the last record. If a later part fails, the earlier ones stay in the log and mean nothing.
absl::StatusOr<uint64_t> AppendInParts(
    std::string_view batch, size_t max_record_bytes,
    absl::FunctionRef<absl::StatusOr<uint64_t>(std::string_view record)> append);

// Puts the parts together again when the log is read.
class BatchJoiner {
 public:
  // Takes the next record of the log. Returns the batch that it completes, valid until the next
  // call; nullopt for a part that is not the last. DataLoss for a last part without those before
  // it.
  absl::StatusOr<std::optional<std::string_view>> Add(std::string_view record);

 private:
  std::string parts_;
  bool has_parts_ = false;
};

}  // namespace emdb

#endif  // EMDB_KV_SPLIT_BATCH_H_
