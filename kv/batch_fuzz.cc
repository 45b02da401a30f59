// Fuzzes the payload of log records: decoding a batch, and joining the parts of one. What decodes
// is within the limits, and means the same when it is encoded again.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kv/split_batch.h"
#include "kv/write_batch.h"
#include "storage/check.h"
#include "storage/fuzz_input.h"

namespace emdb {
namespace {

void Decode(std::string_view bytes) {
  WriteBatch copy;
  const absl::Status status = WriteBatch::ForEach(
      bytes, [&copy](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
        if (kind == WriteBatch::Kind::kPut) {
          copy.Put(key, value);
        } else {
          copy.Delete(key);
        }
      });
  if (!status.ok()) {
    EMDB_CHECK(absl::IsDataLoss(status));
    return;
  }
  EMDB_CHECK(copy.Validate().ok());
  WriteBatch again;
  const absl::Status same = WriteBatch::ForEach(
      copy.encoded(),
      [&again](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
        if (kind == WriteBatch::Kind::kPut) {
          again.Put(key, value);
        } else {
          again.Delete(key);
        }
      });
  EMDB_CHECK(same.ok() && again.encoded() == copy.encoded());
}

void Join(FuzzInput* input) {
  BatchJoiner joiner;
  while (!input->empty()) {
    const auto batch = joiner.Add(0, input->Bytes(input->Byte()));
    if (batch.ok() && batch->has_value()) Decode((*batch)->bytes);
  }
}

// A batch that is cut comes back whole.
void CutAndJoin(std::string_view bytes, size_t part_bytes) {
  if (bytes.empty() || bytes[0] == 2 || bytes[0] == 3) return;
  bytes = bytes.substr(0, 2 * (part_bytes - 1));
  BatchJoiner joiner;
  std::string joined;
  uint64_t seq = 0;
  const auto last =
      AppendInParts(bytes, part_bytes, [&](std::string_view record) -> absl::StatusOr<uint64_t> {
        const auto batch = joiner.Add(seq, record);
        EMDB_CHECK(batch.ok());
        if (batch->has_value()) joined = (*batch)->bytes;
        return seq++;
      });
  EMDB_CHECK(last.ok() && joined == bytes);
}

}  // namespace
}  // namespace emdb

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  const uint8_t choice = input.Byte();
  if (choice % 4 == 0) {
    emdb::Join(&input);
    return 0;
  }
  const std::string_view bytes = input.Rest();
  emdb::Decode(bytes);
  emdb::CutAndJoin(bytes, 2 + choice);
  return 0;
}
