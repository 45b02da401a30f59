#include "tools/cli/record_loader.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

// Far from the limit of a batch (1 GiB) and more than enough to pay for a sync.
constexpr size_t kLargeBatchBytes = size_t{8} << 20;

}  // namespace

absl::Status RecordLoader::Add(const Record& record) {
  if (record.key.empty() || record.key.size() > Db::kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("expected a key of 1 to ", Db::kMaxKeyBytes,
                                                   " bytes, found one of ", record.key.size()));
  }
  if (record.value.size() > Db::kMaxValueBytes) {
    return absl::InvalidArgumentError(absl::StrCat("expected a value of at most ",
                                                   Db::kMaxValueBytes, " bytes, found one of ",
                                                   record.value.size()));
  }
  // A record that would make the batch large goes into one of its own.
  if (batch_.size_bytes() + record.value.size() > kLargeBatchBytes && batch_.count() > 0) {
    EMDB_RETURN_IF_ERROR(WriteBatchOut());
  }
  batch_.Put(record.key, record.value);
  if (batch_.count() >= options_.batch_records) return WriteBatchOut();
  return absl::OkStatus();
}

absl::Status RecordLoader::Finish() {
  EMDB_RETURN_IF_ERROR(WriteBatchOut());
  return db_->Flush();
}

absl::Status RecordLoader::WriteBatchOut() {
  if (batch_.count() == 0) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(db_->Write(batch_, {.sync = options_.sync}));
  written_ += batch_.count();
  batch_.Clear();
  return absl::OkStatus();
}

}  // namespace emdb::cli
