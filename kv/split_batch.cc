#include "kv/split_batch.h"

#include <algorithm>

#include "kv/batch_format.h"
#include "storage/status.h"

namespace emdb {
namespace format = batch_format;

absl::StatusOr<uint64_t> AppendInParts(
    std::string_view batch, size_t max_record_bytes,
    absl::FunctionRef<absl::StatusOr<uint64_t>(std::string_view record)> append) {
  if (batch.size() <= max_record_bytes) [[likely]]
    return append(batch);
  const size_t part_bytes = max_record_bytes - format::kHeaderBytes;
  std::string record;
  for (;;) {
    const bool is_last = batch.size() <= part_bytes;
    record.assign(1, static_cast<char>(is_last ? format::kLastPart : format::kPart));
    record.append(batch.substr(0, part_bytes));
    EMDB_ASSIGN_OR_RETURN(const uint64_t seq, append(record));
    if (is_last) return seq;
    batch.remove_prefix(part_bytes);
  }
}

absl::StatusOr<std::optional<std::string_view>> BatchJoiner::Add(std::string_view record) {
  const uint8_t mark = record.empty() ? 0 : static_cast<uint8_t>(record[0]);
  if (mark != format::kPart && mark != format::kLastPart) {
    // Parts without a last one are of a write that failed.
    has_parts_ = false;
    return record;
  }
  record.remove_prefix(format::kHeaderBytes);
  if (mark == format::kPart) {
    if (!has_parts_) parts_.clear();
    has_parts_ = true;
    parts_.append(record);
    return std::nullopt;
  }
  if (!has_parts_) {
    return absl::DataLossError(
        "the last part of a batch without the parts before it; the log is damaged");
  }
  has_parts_ = false;
  parts_.append(record);
  const std::string_view batch = parts_;
  return batch;
}

}  // namespace emdb
