// The writing half of DbImpl.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "kv/bulk_load.h"
#include "kv/db_impl.h"
#include "kv/split_batch.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

// To insert so many operations takes longer than to wake the log's flusher, which syncs them
// meanwhile: batches of 1,000 take four fifths of the time.
constexpr uint64_t kLongInsert = 256;

// The batch has been encoded by us: it can be decoded.
void ForEach(std::string_view encoded, WriteBatch::Visitor visit) {
  const absl::Status status = WriteBatch::ForEach(encoded, visit);
  EMDB_CHECK(status.ok());
}

// No reader has seen the records of the batch, and none will.
void MakeVoid(std::string_view encoded, uint64_t seq, const Memtable& memtable) {
  ForEach(encoded, [&memtable, seq](WriteBatch::Kind, std::string_view key, std::string_view) {
    memtable.Void(key, seq);
  });
}

}  // namespace

absl::Status DbImpl::CheckWritable() const {
  if (options_.read_only) {
    return absl::FailedPreconditionError(
        "the database is open read-only; open it without read_only to write");
  }
  return checkpointer_->health();
}

absl::Status DbImpl::Write(const Encoded& batch, bool sync) {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  EMDB_RETURN_IF_ERROR(CheckWritable());
  if (batch.operations == 0) return absl::OkStatus();
  const bool must_be_durable = (sync || always_durable_) && !log_.in_memory();
  const bool timed =
      must_be_durable || statistics_.shard().writes.Add() % Statistics::kSampling == 0;
  const uint64_t start = timed ? env_->NowNanos() : 0;
  pacer_->BeforeWrite(batch.bytes.size());

  uint64_t seq = 0;
  Memtable* memtable = nullptr;
  bool is_visible = false;
  {
    MutexLock lock(&write_mutex_);
    EMDB_ASSIGN_OR_RETURN(seq, AppendAndInsert(batch, must_be_durable));
    memtable = active_;
    is_visible = queue_.Publish(seq, must_be_durable);
  }
  if (must_be_durable) {
    absl::Status result = AwaitDurable(seq, batch, memtable);
    statistics_.RecordCommit(start, env_->NowNanos());
    return result;
  }
  if (!is_visible) {
    EMDB_RETURN_IF_ERROR(queue_.Wait(seq, [&] { MakeVoid(batch.bytes, seq, *memtable); }));
  }
  if (timed) statistics_.shard().write_latency.Record(env_->NowNanos() - start);
  return absl::OkStatus();
}

absl::Status DbImpl::AwaitDurable(uint64_t seq, const Encoded& batch, Memtable* memtable) {
  // The memtable is not checkpointed, and so not destroyed, before this write is visible or void.
  return queue_.Resolve(seq, log_.WaitForSeq(seq), [&] { MakeVoid(batch.bytes, seq, *memtable); });
}

// A write that nobody waits for: what its completion needs. While the log is to call back it owns
// itself, so that the function that the log keeps is small enough to need no memory of its own.
struct DbImpl::AsyncWrite {
  AsyncWrite(CallGate::Pass until_done, std::string encoded,
             std::function<void(const absl::Status&)> callback)
      : pass(std::move(until_done)), bytes(std::move(encoded)), done(std::move(callback)) {}

  const CallGate::Pass pass;
  const std::string bytes;
  const std::function<void(const absl::Status&)> done;
  std::unique_ptr<AsyncWrite> self;
  uint64_t start = 0;
  uint64_t seq = 0;
  Memtable* memtable = nullptr;
};

void DbImpl::WriteAsync(const Encoded& batch, std::function<void(const absl::Status&)> done) {
  // One for this call and one for the write: another thread may be done with the write, and whoever
  // waited for that close the database, before this call has left it.
  const CallGate::Pass call(&gate_);
  CallGate::Pass pass(&gate_);
  if (!call || !pass) return done(Closed());
  if (absl::Status s = CheckWritable(); !s.ok()) return done(s);
  if (batch.operations == 0) return done(absl::OkStatus());
  auto write =
      std::make_unique<AsyncWrite>(std::move(pass), std::string(batch.bytes), std::move(done));
  write->start = env_->NowNanos();
  pacer_->BeforeWrite(batch.bytes.size());
  absl::StatusOr<uint64_t> seq = 0;
  bool is_visible = false;
  {
    MutexLock lock(&write_mutex_);
    seq = AppendAndInsert(batch, /*starts_sync=*/false);
    if (seq.ok()) {
      write->seq = *seq;
      write->memtable = active_;
      is_visible = queue_.Publish(*seq, !log_.in_memory());
    }
  }
  if (!seq.ok()) return write->done(seq.status());
  if (is_visible) return write->done(absl::OkStatus());
  AsyncWrite* const waiting = write.get();
  waiting->self = std::move(write);
  // Is called once, whatever becomes of the log.
  log_.NotifyDurable(*seq, [this, waiting](const absl::Status& durable) {
    const std::unique_ptr<AsyncWrite> write = std::move(waiting->self);
    const absl::Status result = queue_.Resolve(
        write->seq, durable, [&write] { MakeVoid(write->bytes, write->seq, *write->memtable); });
    statistics_.RecordCommit(write->start, env_->NowNanos());
    write->done(result);
  });
}

absl::StatusOr<uint64_t> DbImpl::AppendAndInsert(const Encoded& batch, bool starts_sync) {
  EMDB_RETURN_IF_ERROR(MakeRoom(batch));
  EMDB_ASSIGN_OR_RETURN(const uint64_t seq, Append(batch.bytes));
  if (starts_sync && batch.operations >= kLongInsert) {
    // Whoever waits for the seq is told how it went.
    log_.NotifyDurable(seq, [](const absl::Status&) {});
  }
  Memtable* const memtable = active_;
  absl::InlinedVector<Memtable::Change, Memtable::kMany> changes;
  uint64_t puts = 0;
  ForEach(batch.bytes, [&](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
    const bool is_put = kind == WriteBatch::Kind::kPut;
    puts += is_put ? 1 : 0;
    changes.push_back({is_put ? RecordKind::kPut : RecordKind::kDelete, key, value});
    if (changes.size() < Memtable::kMany) return;
    memtable->AddMany(seq, changes);
    changes.clear();
  });
  if (!changes.empty()) memtable->AddMany(seq, changes);
  Statistics::Shard& shard = statistics_.shard();
  if (puts > 0) shard.puts.Add(puts);
  if (puts < batch.operations) shard.deletes.Add(batch.operations - puts);
  return seq;
}

absl::StatusOr<uint64_t> DbImpl::Append(std::string_view batch) {
  uint64_t end_seq = 0;
  absl::StatusOr<uint64_t> seq = AppendInParts(
      batch, Wal::kMaxRecordBytes, [&](std::string_view record) -> absl::StatusOr<uint64_t> {
        EMDB_ASSIGN_OR_RETURN(const uint64_t part_seq, log_.Append(record));
        end_seq = part_seq + 1;
        return part_seq;
      });
  // The seq of a first part whose second one failed stands for nothing, and nothing may wait for
  // it.
  if (!seq.ok() && end_seq > 0) queue_.Publish(end_seq - 1, /*must_be_durable=*/false);
  return seq;
}

absl::Status DbImpl::MakeRoom(const Encoded& batch) {
  if (active_->memory_bytes() < options_.memtable_size &&
      active_->HasRoom(active_->RoomForMore(batch.operations, batch.bytes.size()))) [[likely]] {
    return absl::OkStatus();
  }
  return FreezeActive(Memtable::RoomFor(batch.operations, batch.bytes.size()));
}

absl::Status DbImpl::FreezeActive(size_t room_bytes) {
  const uint64_t start = env_->NowNanos();
  EMDB_RETURN_IF_ERROR(checkpointer_->WaitForRoom());
  const uint64_t waited = env_->NowNanos() - start;
  constexpr uint64_t kNoticeableNanos = 10'000;
  if (waited > kNoticeableNanos) statistics_.write_stalls.Record(waited);
  EMDB_ASSIGN_OR_RETURN(
      std::shared_ptr<Memtable> next,
      Memtable::Create(pool_, std::max(MemtableCapacity(options_.memtable_size), room_bytes)));
  EMDB_ASSIGN_OR_RETURN(const uint64_t boundary, log_.Rotate());
  active_->Freeze(boundary);
  active_ = next.get();
  frozen_seq_ = boundary;
  // Published before anything is in the new memtable: who sees a seq behind the boundary sees the
  // state too.
  states_.Update([&next](ReadState* state) {
    state->frozen.insert(state->frozen.begin(), std::move(state->active));
    state->active = std::move(next);
  });
  checkpointer_->Schedule();
  return absl::OkStatus();
}

absl::Status DbImpl::Flush() {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  if (options_.read_only) return absl::OkStatus();
  return log_.Flush();
}

absl::Status DbImpl::Checkpoint() {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  EMDB_RETURN_IF_ERROR(CheckWritable());
  return CheckpointEverything();
}

absl::Status DbImpl::CheckpointEverything() {
  checkpointer_->RetryNow();
  uint64_t end_seq = 0;
  uint64_t boundary = 0;
  {
    MutexLock lock(&write_mutex_);
    end_seq = log_.next_seq();
    boundary = frozen_seq_;
  }
  // Until there is room for the active memtable to be frozen. Without the lock: a merge takes long,
  // and writers have room in that memtable.
  EMDB_RETURN_IF_ERROR(checkpointer_->WaitForCheckpoint(boundary));
  {
    MutexLock lock(&write_mutex_);
    // Unless a writer has frozen it meanwhile.
    if (frozen_seq_ < end_seq) EMDB_RETURN_IF_ERROR(FreezeActive(0));
    boundary = frozen_seq_;
  }
  EMDB_RETURN_IF_ERROR(checkpointer_->WaitForCheckpoint(boundary));
  // Mostly done already. But the checkpoint may be one that was found at open, of a process that
  // ended before it was durable or before it had the log cut.
  EMDB_RETURN_IF_ERROR(store_->EnsureDurable());
  return log_.TruncateBefore(boundary);
}

absl::Status DbImpl::MarkLogAsWritten() {
  MutexLock lock(&write_mutex_);
  if (log_.next_seq() > 0) return absl::OkStatus();
  EMDB_ASSIGN_OR_RETURN(const uint64_t seq, Append(WriteBatch().encoded()));
  queue_.Publish(seq, /*must_be_durable=*/false);
  return absl::OkStatus();
}

absl::Status DbImpl::BulkLoad(const BulkSource& source) {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  EMDB_RETURN_IF_ERROR(CheckWritable());
  // The log knows nothing of what is loaded. One that had never been written to would say of a
  // damaged store that there was nothing in it yet.
  EMDB_RETURN_IF_ERROR(MarkLogAsWritten());
  // What was written before must be in the tree, or it would lie above what is loaded.
  EMDB_RETURN_IF_ERROR(CheckpointEverything());
  return checkpointer_->RunExclusively([this, &source] {
    BulkLoadChanges changes(source);
    return store_->Load(&changes);
  });
}

absl::Status DbImpl::Compact() {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  EMDB_RETURN_IF_ERROR(CheckWritable());
  EMDB_RETURN_IF_ERROR(CheckpointEverything());
  return checkpointer_->RunExclusively([this] {
    // Every read moves to a new generation at once, so that the next one can use the old one's
    // pages.
    return store_->Compact([this] { checkpointer_->PublishTree(); });
  });
}

absl::Status DbImpl::Verify(const std::function<void(uint64_t done, uint64_t total)>& progress) {
  const CallGate::Pass pass(&gate_);
  if (!pass) return Closed();
  if (options_.read_only) return store_->Verify(progress);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  EMDB_RETURN_IF_ERROR(CheckpointEverything());
  return checkpointer_->RunExclusively([this, &progress] { return store_->Verify(progress); });
}

}  // namespace emdb
