// Db: an embedded, ordered key-value database: a group-commit log, a memtable, and a copy-on-write
// page store that checkpoints in the background.
//
//   absl::StatusOr<std::unique_ptr<emdb::Db>> db = emdb::Db::Open({}, "/var/lib/app/state.emdb");
//   if (!db.ok()) return db.status();
//   absl::Status s = (*db)->Put("key", "value", {.sync = true});
//
// Keys are 1 to 4,096 bytes, ordered bytewise; values 0 bytes to 1 GiB. Others are InvalidArgument,
// and nothing is written. A batch, encoded, is at most 1 GiB and the 5 KiB that one put of the
// largest value needs beyond it.
//
// Durability. A write with `sync`, or under FlushPolicy::OnEachWrite, returns OK only when a power
// cut can no longer take it back. A write without is safe from a kill of the process when it
// returns, and from a power cut at most `max_wait` later under FlushPolicy::Group. If the disk
// fails meanwhile it is safe when the disk works again, and writes return the error until then.
// What recovery finds is a prefix of the order of commits; a batch is whole or absent. A read sees
// a write once it is as durable as it asked to be and all writes before it are visible: never a
// synced write that a power cut could still take back.
//
// Errors. DataLoss: damage was found; nothing wrong is served, and if a checkpoint met it writes
// are refused. ResourceExhausted: no space, or no thread for the log's next segment; reads go on,
// writes work again by themselves, about half a second after there is space. FailedPrecondition:
// the store is in use (says by whom), closed, read-only, or the log failed to sync, with the first
// cause: close, look at the disk, open again; nothing that was durable is lost, and of writes
// without sync only what the disk failed to take. A write that returned an error of the disk is not
// seen by reads, but a crash may leave it in the log: it may be there after the next open.
//
// Thread safe, all of it. An Iterator belongs to one thread.

#ifndef EMDB_KV_DB_H_
#define EMDB_KV_DB_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kv/bulk_source.h"
#include "kv/iterator.h"
#include "kv/options.h"
#include "kv/snapshot.h"
#include "kv/stats.h"
#include "kv/write_batch.h"
#include "pagestore/pinned_value.h"

namespace emdb {

class DbImpl;

class Db {
 public:
  static constexpr size_t kMaxKeyBytes = 4096;
  static constexpr uint64_t kMaxValueBytes = uint64_t{1} << 30;

  // Opens the store file `path` with its log beside it (Wal::PathFor), making both if they are
  // missing. Errors, each of which says of which file and what to do:
  //  - NotFound: there is no store, and none is to be made (read_only, or not create_if_missing);
  //    or the directory is missing.
  //  - AlreadyExists: there is one, and error_if_exists is set.
  //  - InvalidArgument: an option is out of range, two of them exclude each other, or the file
  //    system has no direct I/O for IoMode::kDirect.
  //  - FailedPrecondition: the store is open elsewhere, in this process or in another, or it may
  //    not be opened: a newer format, a feature that is not known, the log of another store.
  //  - PermissionDenied: of the operating system; a read-only open needs to read only.
  //  - DataLoss: damage, or a missing part: a log without its store, a store without its log, a log
  //    that does not reach from the checkpoint on. `emdb salvage` copies out what is whole.
  //  - ResourceExhausted: no space, no descriptors, no memory, or no thread.
  //  - Unavailable: any other error of the disk.
  //
  // An open that is refused for damage of the log or of the headers, or because files do not belong
  // together, has changed no byte on disk. After any other error nothing is lost, and a later open
  // goes on from there.
  static absl::StatusOr<std::unique_ptr<Db>> Open(const Options& options, std::string_view path);
  // The same database without files: gone when it is destroyed, so `sync` has nothing to do, and
  // the options of files and of the log (env, create_if_missing, error_if_exists, wal_...) mean
  // nothing. InvalidArgument or ResourceExhausted, as above; InvalidArgument for read_only.
  static absl::StatusOr<std::unique_ptr<Db>> OpenInMemory(const Options& options = {});

  // Closes, with errors dropped. Snapshots and iterators may live on: see their headers.
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  absl::Status Put(std::string_view key, std::string_view value, const WriteOptions& options = {});
  // OK whether the key is there or not.
  absl::Status Delete(std::string_view key, const WriteOptions& options = {});
  absl::Status Write(const WriteBatch& batch, const WriteOptions& options = {});
  // Starts a durable write and returns; `done` is called once, when it is durable and visible, or
  // with the error. `batch` may be reused at once. `done` runs on a thread of the Db or on one that
  // is in a call of this Db, maybe while other writers wait for it. It must be short, must not call
  // the Db, and must not take a lock that is held around calls of the Db.
  void WriteAsync(const WriteBatch& batch, std::function<void(const absl::Status&)> done);

  // Copies the value to *value, reusing its memory. NotFound, without a message, if the key is not
  // there; InvalidArgument for a key that there can't be (empty, or beyond kMaxKeyBytes), and for a
  // snapshot that is empty or of another Db. On an error *value is unspecified.
  absl::Status Get(std::string_view key, std::string* value, const ReadOptions& options = {}) const;
  // The same without a copy, where that is possible: see pinned_value.h.
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& options = {}) const;
  // All from one state. (*values)[i] is set where the i-th status is OK. Each status is what Get
  // would return (what is wrong with all comes before what is wrong with a key): a key that is
  // InvalidArgument leaves the others alone.
  std::vector<absl::Status> MultiGet(absl::Span<const std::string_view> keys,
                                     std::vector<std::string>* values,
                                     const ReadOptions& options = {}) const;
  // Never null; an error is in its status(). May outlive the Db (iterator.h).
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options = {}) const;
  // The newest state, held until the Snapshot is destroyed. An empty one once the Db is closed.
  Snapshot GetSnapshot() const;

  // Puts many records at once, in one atomic step and past the log: into the page store, as fast as
  // it can be written, and with little memory. `source` hands them out with keys strictly ascending
  // (else InvalidArgument that names both keys); they join what is there and replace what has the
  // same key. On OK all are durable and visible, to reads that begin later. On an error, also one
  // of `source`, which is returned, nothing has changed; but if the disk fails with the last
  // writes, or in a crash before this returns, either all or nothing of it is there at the next
  // open.
  //
  // Begins with a Checkpoint. Writes may go on, and readers see them at once. Where one writes a
  // key that is loaded it counts as the later of the two, unless another checkpoint took it in
  // before the load began to write. No checkpoint runs meanwhile, so writers wait when the memtable
  // is full. `source` is called from this thread and must not call the Db.
  absl::Status BulkLoad(const BulkSource& source);

  // All that was acknowledged before the call is durable on return. OK, and nothing to do, for a
  // read-only Db; the calls below but Verify and Close are FailedPrecondition there, as writes are.
  absl::Status Flush();
  // And is in the page store; the log holds nothing older than the call.
  absl::Status Checkpoint();
  // Checkpoint, then the file is rewritten densely and free space given back, as far as snapshots
  // allow.
  absl::Status Compact();
  // Checkpoint, unless read-only, then every page is read and every invariant checked
  // (PageStore::Verify). DataLoss for what is wrong. `progress` is called from this thread, and
  // must not call the Db.
  absl::Status Verify(const std::function<void(uint64_t done, uint64_t total)>& progress = nullptr);

  // Waits for calls under way, makes everything durable, closes the files and releases the lock,
  // whether snapshots and iterators are alive or not. Later calls are FailedPrecondition, and so is
  // what is read through those. OK: all that was acknowledged is durable.
  //
  // Checkpoints before, if the log holds much for the size of the store, so that the next open has
  // little to redo; an error of that is returned when all is closed, and loses nothing: the log
  // keeps what it was to move.
  absl::Status Close();

  Stats GetStats() const;

 private:
  explicit Db(std::unique_ptr<DbImpl> impl);
  std::unique_ptr<DbImpl> impl_;
};

}  // namespace emdb

#endif  // EMDB_KV_DB_H_
