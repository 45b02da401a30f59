#include "kv/recovery.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kv/checkpointer.h"
#include "kv/memtable_builder.h"
#include "kv/memtable_changes.h"
#include "kv/split_batch.h"
#include "kv/write_batch.h"
#include "storage/status.h"

namespace emdb {
namespace {

struct Operation {
  WriteBatch::Kind kind;
  std::string_view key;
  std::string_view value;
};

class LogRedo {
 public:
  LogRedo(const Options& options, std::shared_ptr<ArenaPool> pool, StoreFiles* files)
      : options_(options), pool_(std::move(pool)), files_(files) {}

  absl::StatusOr<RedoneLog> Run() {
    EMDB_RETURN_IF_ERROR(StartMemtable(0));
    EMDB_RETURN_IF_ERROR(files_->wal->Replay(
        files_->store->next_seq(),
        [this](uint64_t seq, std::string_view record) { return Redo(seq, record); }));
    builder_->Finish();
    result_.state.active = std::move(active_);
    // Newest first.
    std::reverse(frozen_.begin(), frozen_.end());
    result_.state.frozen = std::move(frozen_);
    result_.state.tree = files_->store->GetView();
    return std::move(result_);
  }

 private:
  absl::Status StartMemtable(size_t room_bytes) {
    EMDB_ASSIGN_OR_RETURN(
        active_,
        Memtable::Create(pool_, std::max(MemtableCapacity(options_.memtable_size), room_bytes)));
    builder_.emplace(active_.get());
    return absl::OkStatus();
  }

  absl::Status Redo(uint64_t seq, std::string_view record) {
    const absl::StatusOr<std::optional<std::string_view>> batch = joiner_.Add(record);
    if (!batch.ok()) return InRecord(batch.status(), seq);
    if (!batch->has_value()) return absl::OkStatus();
    EMDB_RETURN_IF_ERROR(InRecord(Decode(**batch), seq));
    const size_t room_bytes = Memtable::RoomFor(operations_.size(), (*batch)->size());
    if (active_->memory_bytes() >= options_.memtable_size || !active_->HasRoom(room_bytes)) {
      EMDB_RETURN_IF_ERROR(Freeze(seq));
      EMDB_RETURN_IF_ERROR(StartMemtable(room_bytes));
    }
    for (const Operation& operation : operations_) {
      builder_->Add(
          seq, operation.kind == WriteBatch::Kind::kPut ? RecordKind::kPut : RecordKind::kDelete,
          operation.key, operation.value);
    }
    result_.records++;
    return absl::OkStatus();
  }

  // All of the batch before any of it is applied.
  absl::Status Decode(std::string_view batch) {
    operations_.clear();
    return WriteBatch::ForEach(
        batch, [this](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
          operations_.push_back({kind, key, value});
        });
  }

  absl::Status InRecord(const absl::Status& status, uint64_t seq) const {
    if (status.ok()) return status;
    const std::string where = absl::StrCat(ToAbsl(files_->wal->path()), ", record ", seq);
    return Annotate(status, where);
  }

  // The active memtable holds everything below `end_seq`.
  absl::Status Freeze(uint64_t end_seq) {
    builder_->Finish();
    active_->Freeze(end_seq);
    frozen_.push_back(std::move(active_));
    if (options_.read_only || frozen_.size() <= Checkpointer::kMaxFrozenMemtables) {
      return absl::OkStatus();
    }
    // What the log holds is durable since it was opened, so the store may follow.
    MemtableChanges changes(frozen_.front().get());
    EMDB_RETURN_IF_ERROR(files_->store->Checkpoint(frozen_.front()->end_seq(), &changes));
    frozen_.erase(frozen_.begin());
    return absl::OkStatus();
  }

  const Options& options_;
  const std::shared_ptr<ArenaPool> pool_;
  StoreFiles* const files_;
  std::shared_ptr<Memtable> active_;
  std::optional<MemtableBuilder> builder_;
  std::vector<std::shared_ptr<Memtable>> frozen_;  // oldest first
  BatchJoiner joiner_;
  std::vector<Operation> operations_;  // of one batch
  RedoneLog result_;
};

}  // namespace

absl::StatusOr<RedoneLog> RedoLog(const Options& options, std::shared_ptr<ArenaPool> pool,
                                  StoreFiles* files) {
  return LogRedo(options, std::move(pool), files).Run();
}

size_t MemtableCapacity(size_t memtable_size) {
  return memtable_size + memtable_size / 4 + Memtable::RoomFor(0, 0);
}

}  // namespace emdb
