#include "kv/recovery.h"

#include <algorithm>
#include <utility>

#include "kv/checkpointer.h"
#include "kv/memtable_changes.h"
#include "storage/status.h"

namespace emdb {

LogRedo::LogRedo(const Options& options, std::shared_ptr<ArenaPool> pool)
    : options_(options), pool_(std::move(pool)) {}

absl::Status LogRedo::StartMemtable(size_t room_bytes) {
  EMDB_ASSIGN_OR_RETURN(
      active_,
      Memtable::Create(pool_, std::max(MemtableCapacity(options_.memtable_size), room_bytes)));
  builder_.emplace(active_.get());
  return absl::OkStatus();
}

absl::Status LogRedo::Add(uint64_t seq, std::string_view record) {
  EMDB_ASSIGN_OR_RETURN(const std::optional<JoinedBatch> batch, joiner_.Add(seq, record));
  if (!batch.has_value()) return absl::OkStatus();
  EMDB_RETURN_IF_ERROR(Decode(batch->bytes));
  // A memtable that ends between the parts of a batch would have the log cut there.
  const size_t room_bytes = Memtable::RoomFor(operations_.size(), batch->bytes.size());
  EMDB_RETURN_IF_ERROR(MakeRoom(batch->first_seq, room_bytes));
  for (const Operation& operation : operations_) {
    builder_->Add(seq,
                  operation.kind == WriteBatch::Kind::kPut ? RecordKind::kPut : RecordKind::kDelete,
                  operation.key, operation.value);
  }
  ++records_;
  return absl::OkStatus();
}

// All of the batch before any of it is applied.
absl::Status LogRedo::Decode(std::string_view batch) {
  operations_.clear();
  return WriteBatch::ForEach(
      batch, [this](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
        operations_.push_back({kind, key, value});
      });
}

absl::Status LogRedo::MakeRoom(uint64_t seq, size_t room_bytes) {
  if (active_ == nullptr) return StartMemtable(room_bytes);
  // The index is made at the end, and room is kept for it.
  const size_t index_bytes = builder_->index_bytes();
  if (active_->memory_bytes() + index_bytes < options_.memtable_size &&
      active_->HasRoom(room_bytes + index_bytes)) {
    return absl::OkStatus();
  }
  Freeze(seq);
  return StartMemtable(room_bytes);
}

// The active memtable holds everything below `end_seq`.
void LogRedo::Freeze(uint64_t end_seq) {
  builder_->Finish();
  active_->Freeze(end_seq);
  frozen_.push_back(std::move(active_));
}

absl::StatusOr<RedoneLog> LogRedo::Finish(PageStore* store) {
  if (active_ == nullptr) EMDB_RETURN_IF_ERROR(StartMemtable(0));
  builder_->Finish();
  if (!options_.read_only) MergeSurplus(store);
  RedoneLog result;
  result.records = records_;
  result.state.active = std::move(active_);
  result.state.frozen.assign(frozen_.rbegin(), frozen_.rend());
  result.state.tree = store->GetView();
  return result;
}

void LogRedo::MergeSurplus(PageStore* store) {
  while (frozen_.size() > Checkpointer::kMaxFrozenMemtables) {
    MemtableChanges changes(frozen_.front().get());
    // Files were changed, so an open must not be refused any more, and what is not damaged can be
    // read. The Checkpointer meets the error again, and knows what to make of it.
    if (!store->Checkpoint(frozen_.front()->end_seq(), &changes).ok()) return;
    frozen_.pop_front();
  }
}

size_t MemtableCapacity(size_t memtable_size) {
  return memtable_size + memtable_size / 4 + Memtable::RoomFor(0, 0);
}

}  // namespace emdb
