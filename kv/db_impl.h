// DbImpl: a Db that is open. It puts the parts together: log, publish queue, memtables,
// checkpointer, page store.
//
// A write, under write_mutex_: room in the active memtable (else it is frozen, and the log rotated
// at the same seq), append to the log, insert into the memtable; the records are invisible until
// the PublishQueue says otherwise. Then, without a lock, wait for the disk if the write must be
// durable, and become visible. So inserting goes on while the disk syncs, and what fails to become
// durable is made void before anyone could see it.
//
// Lock order: Checkpointer's maintenance mutex, write_mutex_, the mutexes of the parts.
// write_mutex_ may be held while the log waits for space in its buffer, so nothing that runs on the
// log's threads takes it.

#ifndef EMDB_KV_DB_IMPL_H_
#define EMDB_KV_DB_IMPL_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kv/arena.h"
#include "kv/bulk_source.h"
#include "kv/call_gate.h"
#include "kv/checkpointer.h"
#include "kv/db_life.h"
#include "kv/db_log.h"
#include "kv/iterator.h"
#include "kv/options.h"
#include "kv/pacer.h"
#include "kv/publish_queue.h"
#include "kv/read_state.h"
#include "kv/recovery.h"
#include "kv/snapshot.h"
#include "kv/statistics.h"
#include "kv/stats.h"
#include "kv/write_batch.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "storage/mutex.h"

namespace emdb {

class DbImpl {
 public:
  // What a Db is made of; null where it has none of it.
  struct Parts {
    Options options;
    std::shared_ptr<Env> own_env;  // of a database in memory
    Env* env = nullptr;
    std::unique_ptr<FileLock> lock;
    std::unique_ptr<PageStore> store;
    std::unique_ptr<Wal> wal;
    std::shared_ptr<ArenaPool> pool;
    RedoneLog redone;
    uint64_t recovery_nanos = 0;
  };

  static absl::StatusOr<std::unique_ptr<DbImpl>> Open(const Options& options,
                                                      std::string_view path);
  static absl::StatusOr<std::unique_ptr<DbImpl>> OpenInMemory(const Options& options);

  ~DbImpl();
  DbImpl(const DbImpl&) = delete;
  DbImpl& operator=(const DbImpl&) = delete;

  // A valid batch, encoded.
  struct Encoded {
    std::string_view bytes;
    size_t operations = 0;
  };
  // As in db.h.
  absl::Status Write(const Encoded& batch, bool sync);
  void WriteAsync(const Encoded& batch, std::function<void(const absl::Status&)> done);

  // Value: std::string or PinnedValue.
  template <typename Value>
  absl::Status Get(std::string_view key, Value* value, const ReadOptions& options);
  std::vector<absl::Status> MultiGet(absl::Span<const std::string_view> keys,
                                     std::vector<std::string>* values, const ReadOptions& options);
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options);
  Snapshot GetSnapshot();

  absl::Status BulkLoad(const BulkSource& source);
  absl::Status Flush();
  absl::Status Checkpoint();
  absl::Status Compact();
  absl::Status Verify(const std::function<void(uint64_t done, uint64_t total)>& progress);
  absl::Status Close();
  Stats GetStats();

 private:
  struct AsyncWrite;

  static absl::Status Closed() { return DbLife::Closed(); }

  // What a read sees, and what keeps that there.
  struct ReadPoint {
    const ReadState* state = nullptr;
    uint64_t seq = 0;
  };

  explicit DbImpl(Parts parts);
  // Starts the threads. On an error all is closed again.
  static absl::StatusOr<std::unique_ptr<DbImpl>> Start(Parts parts);

  // Writes.
  absl::Status CheckWritable() const;
  // With `starts_sync` the log makes a long batch durable while it is being inserted.
  absl::StatusOr<uint64_t> AppendAndInsert(const Encoded& batch, bool starts_sync)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Appends to the log. Returns the seq, of the last part if it takes several.
  absl::StatusOr<uint64_t> Append(std::string_view batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status MakeRoom(const Encoded& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status FreezeActive(size_t room_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status AwaitDurable(uint64_t seq, const Encoded& batch, Memtable* memtable);

  // Reads.
  absl::Status Lookup(const ReadPoint& point, std::string_view key, std::string* value) const;
  absl::Status Lookup(const ReadPoint& point, std::string_view key, PinnedValue* value) const;
  // What the memtables say of `key`: OK, NotFound, or nothing.
  static std::optional<absl::Status> LookupInMemory(const ReadState& state, uint64_t seq,
                                                    std::string_view key, std::string* value);
  // Under a guard of states_. FailedPrecondition if closed; InvalidArgument for a snapshot that is
  // not of this Db.
  absl::Status FindReadPoint(const ReadOptions& options, ReadPoint* point) const;
  absl::Status CheckSnapshot(const Snapshot& snapshot) const;
  // The same for longer than a guard: with the end of what the state shows.
  absl::Status FindReadPointToHold(const ReadOptions& options, ReadPoint* point) const;

  absl::Status CheckpointEverything();
  // A batch of nothing, if there was none before.
  absl::Status MarkLogAsWritten() ABSL_LOCKS_EXCLUDED(write_mutex_);
  absl::Status CloseParts();
  // A checkpoint, if there is much in the log that is not in the page store.
  absl::Status SpareNextOpenTheRedo();

  const Options options_;
  const std::shared_ptr<Env> own_env_;
  Env* const env_;
  std::shared_ptr<ArenaPool> pool_;  // null once closed
  const uint64_t recovered_records_;
  const uint64_t recovery_nanos_;
  const bool always_durable_;  // FlushPolicy::OnEachWrite

  std::unique_ptr<FileLock> lock_;
  std::shared_ptr<PageStore> store_;
  DbLog log_;
  Statistics statistics_;
  ReadStates states_;
  PublishQueue queue_;
  std::unique_ptr<Checkpointer> checkpointer_;  // null when read-only, or not started
  std::optional<Pacer> pacer_;

  CallGate gate_;
  const std::shared_ptr<DbLife> life_ = std::make_shared<DbLife>();
  Mutex write_mutex_;
  Memtable* active_ ABSL_GUARDED_BY(write_mutex_);     // of the current state
  uint64_t frozen_seq_ ABSL_GUARDED_BY(write_mutex_);  // where active_ starts
};

}  // namespace emdb

#endif  // EMDB_KV_DB_IMPL_H_
