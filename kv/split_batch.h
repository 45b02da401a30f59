// A batch that is larger than a log record may be goes to the log in two parts, in records that
// follow one another; its seq is that of the second. Only a batch with one of the very largest
// values needs it. Bytes: kv/FORMAT.md.

#ifndef EMDB_KV_SPLIT_BATCH_H_
#define EMDB_KV_SPLIT_BATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace emdb {

// Passes `batch` to `append`, in parts if it is larger than `max_record_bytes`, whose double it is
// smaller than. Returns the seq of the last record. If the second part fails, the first one stays
// in the log and means nothing.
absl::StatusOr<uint64_t> AppendInParts(
    std::string_view batch, size_t max_record_bytes,
    absl::FunctionRef<absl::StatusOr<uint64_t>(std::string_view record)> append);

struct JoinedBatch {
  std::string_view bytes;  // valid until the next record
  uint64_t first_seq = 0;  // of its first part
};

// Puts the parts together again when the log is read.
class BatchJoiner {
 public:
  // Takes the next record of the log. Returns the batch that it completes; nullopt for a first
  // part. DataLoss for a second part without its first.
  absl::StatusOr<std::optional<JoinedBatch>> Add(uint64_t seq, std::string_view record);

 private:
  std::string batch_;
  uint64_t first_seq_ = 0;
  bool has_first_part_ = false;
};

}  // namespace emdb

#endif  // EMDB_KV_SPLIT_BATCH_H_
