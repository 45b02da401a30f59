#include "tools/bench/engine.h"

#include <utility>

#include "storage/status.h"

namespace emdb::bench {
namespace {

constexpr size_t kLoadBatchRecords = 1000;

// Records copied into one buffer, so that filling a batch allocates nothing once it has grown.
class LoadBatch {
 public:
  void Add(std::string_view key, std::string_view value) {
    bytes_.append(key).append(value);
    sizes_.emplace_back(key.size(), value.size());
  }

  size_t size() const { return sizes_.size(); }

  absl::Status WriteTo(Session* session) {
    operations_.clear();
    size_t offset = 0;
    for (const auto& [key_size, value_size] : sizes_) {
      const std::string_view record(bytes_.data() + offset, key_size + value_size);
      operations_.push_back({record.substr(0, key_size), record.substr(key_size)});
      offset += record.size();
    }
    absl::Status status = session->Write(operations_, Durability::kUnsynced);
    // Not before: the operations point into them.
    bytes_.clear();
    sizes_.clear();
    return status;
  }

 private:
  std::string bytes_;
  std::vector<std::pair<size_t, size_t>> sizes_;
  std::vector<WriteOperation> operations_;
};

}  // namespace

void Session::PutAsync(std::string_view key, std::string_view value,
                       std::function<void(const absl::Status&)> done) {
  const std::function<void(const absl::Status&)> call = std::move(done);
  call(Put(key, value, Durability::kSynced));
}

void Session::MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                       std::vector<absl::Status>* statuses) {
  values->resize(keys.size());
  statuses->resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) (*statuses)[i] = Get(keys[i], &(*values)[i]);
}

absl::Status Engine::Load(RecordSource next) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, NewSession());
  LoadBatch batch;
  std::string_view key;
  std::string_view value;
  while (next(&key, &value)) {
    batch.Add(key, value);
    if (batch.size() == kLoadBatchRecords) EMDB_RETURN_IF_ERROR(batch.WriteTo(session.get()));
  }
  if (batch.size() > 0) EMDB_RETURN_IF_ERROR(batch.WriteTo(session.get()));
  return Flush();
}

absl::StatusOr<uint64_t> Engine::Count() {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, NewSession());
  const std::unique_ptr<Cursor> cursor = session->NewCursor();
  uint64_t count = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) ++count;
  EMDB_RETURN_IF_ERROR(cursor->status());
  return count;
}

}  // namespace emdb::bench
