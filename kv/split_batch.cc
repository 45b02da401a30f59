#include "kv/split_batch.h"

#include <utility>

#include "kv/batch_format.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace format = batch_format;

absl::StatusOr<uint64_t> AppendInParts(
    std::string_view batch, size_t max_record_bytes,
    absl::FunctionRef<absl::StatusOr<uint64_t>(std::string_view record)> append) {
  if (batch.size() <= max_record_bytes) [[likely]]
    return append(batch);
  const size_t part_bytes = max_record_bytes - format::kHeaderBytes;
  EMDB_CHECK(batch.size() <= 2 * part_bytes);
  const auto append_part = [&](uint8_t mark, std::string_view part) {
    std::string record(1, static_cast<char>(mark));
    record.append(part);
    return append(record);
  };
  EMDB_RETURN_IF_ERROR(append_part(format::kFirstPart, batch.substr(0, part_bytes)).status());
  return append_part(format::kSecondPart, batch.substr(part_bytes));
}

absl::StatusOr<std::optional<JoinedBatch>> BatchJoiner::Add(uint64_t seq, std::string_view record) {
  const uint8_t mark = record.empty() ? 0 : static_cast<uint8_t>(record[0]);
  // A first part without a second one is of a write that failed.
  const bool follows_first_part = std::exchange(has_first_part_, mark == format::kFirstPart);
  if (mark != format::kFirstPart && mark != format::kSecondPart) return JoinedBatch{record, seq};
  const std::string_view part = record.substr(format::kHeaderBytes);
  if (mark == format::kFirstPart) {
    batch_.assign(part);
    first_seq_ = seq;
    return std::nullopt;
  }
  if (!follows_first_part) {
    return absl::DataLossError("the second part of a batch without the first; the log is damaged");
  }
  batch_.append(part);
  return JoinedBatch{batch_, first_seq_};
}

}  // namespace emdb
