#include "tools/bench/checked_session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::bench {
namespace {

absl::Status MissingRecord(const Dataset& dataset, uint64_t id) {
  std::string key;
  return absl::DataLossError(absl::StrCat("record ", id, ", key ",
                                          absl::BytesToHexString(ToAbsl(dataset.Key(id, &key))),
                                          ": not found, though it was written"));
}

absl::Status UnexpectedRecord(uint64_t id) {
  return absl::DataLossError(absl::StrCat("record ", id, ": found, though it must not be there"));
}

}  // namespace

absl::Status SeekLog::Verify(const Dataset& dataset, const std::vector<uint32_t>& live) const {
  constexpr uint32_t kNotLive = 0xffffffff;
  std::vector<uint32_t> positions(dataset.capacity(), kNotLive);
  for (size_t i = 0; i < live.size(); ++i) positions[live[i]] = static_cast<uint32_t>(i);

  for (size_t i = 0; i < rows_.size();) {
    const uint32_t target = rows_[i + 1];
    const uint32_t wanted = rows_[i + 2];
    size_t position = positions[target];
    uint32_t returned = 0;
    for (i += 3; i < rows_.size() && rows_[i] != kMark; ++i, ++returned) {
      if (positions[rows_[i]] == kNotLive) continue;
      if (position >= live.size() || live[position] != rows_[i]) {
        return absl::DataLossError(
            absl::StrCat("seek to record ", target, ": row ", returned, " is record ", rows_[i],
                         position < live.size() ? absl::StrCat(", expected record ", live[position])
                                                : std::string(", expected the end")));
      }
      ++position;
    }
    if (returned < wanted && position < live.size()) {
      return absl::DataLossError(absl::StrCat("seek to record ", target, ": ended after ", returned,
                                              " rows, expected record ", live[position]));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckedSession::Put(uint64_t id, Durability durability) {
  const uint8_t version = Dataset::NextVersion(dataset_->version(id));
  EMDB_RETURN_IF_ERROR(
      session_->Put(dataset_->Key(id, &key_), dataset_->Value(id, version, &value_), durability));
  dataset_->set_version(id, version);
  return absl::OkStatus();
}

void CheckedSession::PutAsync(uint64_t id, std::function<void(const absl::Status&)> done) {
  const uint8_t version = Dataset::NextVersion(dataset_->version(id));
  session_->PutAsync(
      dataset_->Key(id, &key_), dataset_->Value(id, version, &value_),
      [dataset = dataset_, id, version, done = std::move(done)](const absl::Status& status) {
        if (status.ok()) dataset->set_version(id, version);
        done(status);
      });
}

absl::Status CheckedSession::Delete(uint64_t id, Durability durability) {
  EMDB_RETURN_IF_ERROR(session_->Delete(dataset_->Key(id, &key_), durability));
  dataset_->set_version(id, 0);
  return absl::OkStatus();
}

absl::Status CheckedSession::PutBatch(absl::Span<const uint64_t> ids, Durability durability) {
  return WriteBatch(ids, /*is_delete=*/false, durability);
}

absl::Status CheckedSession::DeleteBatch(absl::Span<const uint64_t> ids, Durability durability) {
  return WriteBatch(ids, /*is_delete=*/true, durability);
}

absl::Status CheckedSession::WriteBatch(absl::Span<const uint64_t> ids, bool is_delete,
                                        Durability durability) {
  batch_keys_.resize(ids.size());
  batch_values_.resize(ids.size());
  operations_.clear();
  for (size_t i = 0; i < ids.size(); ++i) {
    WriteOperation operation{dataset_->Key(ids[i], &batch_keys_[i]), std::nullopt};
    if (!is_delete) {
      const uint8_t version = Dataset::NextVersion(dataset_->version(ids[i]));
      operation.value = dataset_->Value(ids[i], version, &batch_values_[i]);
    }
    operations_.push_back(operation);
  }
  EMDB_RETURN_IF_ERROR(session_->Write(operations_, durability));
  for (const uint64_t id : ids) {
    dataset_->set_version(id, is_delete ? 0 : Dataset::NextVersion(dataset_->version(id)));
  }
  return absl::OkStatus();
}

absl::Status CheckedSession::CheckGet(uint64_t id, const absl::Status& status) const {
  const uint8_t version = dataset_->version(id);
  if (status.ok()) {
    return version == 0 ? UnexpectedRecord(id) : dataset_->CheckValue(id, version, value_);
  }
  if (!absl::IsNotFound(status)) return status;
  return version == 0 ? absl::OkStatus() : MissingRecord(*dataset_, id);
}

absl::Status CheckedSession::Get(uint64_t id) {
  dataset_->Prefetch(id);
  return CheckGet(id, session_->Get(dataset_->Key(id, &key_), &value_));
}

absl::Status CheckedSession::GetWhileWritten(uint64_t id) {
  const uint8_t before = dataset_->version(id);
  const absl::Status status = session_->Get(dataset_->Key(id, &key_), &value_);
  // The write that is under way when the read starts may be seen before it is acknowledged.
  const uint8_t newest = Dataset::NextVersion(dataset_->version(id));
  if (absl::IsNotFound(status)) {
    return before == 0 ? absl::OkStatus() : MissingRecord(*dataset_, id);
  }
  EMDB_RETURN_IF_ERROR(status);
  const uint8_t claimed = Dataset::ClaimedVersion(value_);
  uint8_t allowed = before == 0 ? 1 : before;
  while (allowed != claimed && allowed != newest) allowed = Dataset::NextVersion(allowed);
  return dataset_->CheckValue(id, allowed, value_);
}

absl::Status CheckedSession::GetMissing(uint64_t id) {
  const absl::Status status = session_->Get(dataset_->MissingKey(id, &key_), &value_);
  if (status.ok()) return UnexpectedRecord(id);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status CheckedSession::MultiGet(absl::Span<const uint64_t> ids) {
  batch_keys_.resize(ids.size());
  key_views_.clear();
  for (size_t i = 0; i < ids.size(); ++i) {
    dataset_->Prefetch(ids[i]);
    key_views_.push_back(dataset_->Key(ids[i], &batch_keys_[i]));
  }
  session_->MultiGet(key_views_, &batch_values_, &statuses_);
  if (batch_values_.size() != ids.size() || statuses_.size() != ids.size()) {
    return absl::DataLossError(absl::StrCat("MultiGet of ", ids.size(), " keys returned ",
                                            batch_values_.size(), " values"));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    value_.swap(batch_values_[i]);
    EMDB_RETURN_IF_ERROR(CheckGet(ids[i], statuses_[i]));
    value_.swap(batch_values_[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> CheckedSession::CheckRow(const Cursor& cursor) const {
  const std::optional<uint64_t> id = dataset_->FindId(cursor.key());
  if (!id.has_value()) {
    return absl::DataLossError(absl::StrCat("a scan returned key ",
                                            absl::BytesToHexString(ToAbsl(cursor.key())),
                                            ", which was never written"));
  }
  const uint8_t version = dataset_->version(*id);
  if (version == 0) return UnexpectedRecord(*id);
  EMDB_RETURN_IF_ERROR(dataset_->CheckValue(*id, version, cursor.value()));
  return *id;
}

absl::Status CheckedSession::SeekAndRead(uint64_t id, int rows, CursorUse use, SeekLog* log) {
  if (use == CursorUse::kNew) cursor_.reset();
  if (cursor_ == nullptr) cursor_ = NewCursor();
  Cursor* const cursor = cursor_.get();
  log->Begin(id, rows);
  dataset_->Prefetch(id);
  cursor->Seek(dataset_->Key(id, &key_));
  for (int row = 0; row < rows && cursor->Valid(); ++row) {
    EMDB_ASSIGN_OR_RETURN(const uint64_t found, CheckRow(*cursor));
    log->Add(found);
    if (row + 1 < rows) cursor->Next();
  }
  return cursor->status();
}

absl::StatusOr<uint64_t> CheckedSession::ScanAll(bool forward) {
  const std::unique_ptr<Cursor> cursor = NewCursor();
  uint64_t rows = 0;
  for (forward ? cursor->SeekToFirst() : cursor->SeekToLast(); cursor->Valid();
       forward ? cursor->Next() : cursor->Prev()) {
    const std::string_view key = cursor->key();
    if (rows > 0 && (forward ? key <= key_ : key >= key_)) {
      return absl::DataLossError(absl::StrCat("row ", rows, " of a scan is out of order: key ",
                                              absl::BytesToHexString(ToAbsl(key)), " after ",
                                              absl::BytesToHexString(key_)));
    }
    key_.assign(key);
    EMDB_RETURN_IF_ERROR(CheckRow(*cursor).status());
    ++rows;
  }
  EMDB_RETURN_IF_ERROR(cursor->status());
  return rows;
}

}  // namespace emdb::bench
