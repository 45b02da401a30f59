// Wal: a write-ahead log in which concurrent writers share syncs (group commit).
//
// A log is a sequence of records, byte strings of 0 bytes to 1 GiB, numbered by `seq` without gaps.
// A record is appended when Append has returned its seq: from then on it survives a kill of the
// process, since it lies in a mapped file or in a segment. It is durable when its seq is below
// durable_seq(): it survives a power cut.
//
// Appends go on while a sync runs; all that was appended by the time the next sync starts rides on
// it; a waiter wakes once, when its own record is durable.
//
// What opening finds: a prefix of the appended records that contains every durable one. A torn tail
// is cut off; damage in front of a record that is known to have been durable is DataLoss, names
// file, offset and seq, and changes nothing. Bytes on disk: wal/FORMAT.md.
//
// Thread safe, all of it, but for Truncate, which runs alone, and Close and the destructor, which
// come last. Nothing here calls back under a lock of the log. A failed sync poisons the log: every
// waiter whose record is not durable and every later call that writes returns that first error
// (FailedPrecondition for later ones, with the cause); reading goes on. A failed write is tried
// again from the last written end by the next flush: waiters of that write whose record is not
// durable get its error, the records stay appended. Under Group an append behind it tries first,
// and returns the error if it still fails, with nothing appended: nobody else might ever tell. No
// space for the next segment is ResourceExhausted from Append, with nothing appended.
//
// Not: a database. It does not look into records, and knows nothing of checkpoints but
// TruncateBefore.

#ifndef EMDB_WAL_WAL_H_
#define EMDB_WAL_WAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/store_id.h"
#include "wal/options.h"
#include "wal/stats.h"

namespace emdb {

class Wal {
 public:
  static constexpr uint64_t kMaxRecordBytes = uint64_t{1} << 30;

  // Opens the log at `path`, making it if missing. InvalidArgument for options out of range,
  // NotFound, FailedPrecondition if it belongs to another store or is of a newer format, DataLoss
  // for damage; nothing on disk was changed then. ResourceExhausted without space, descriptors, or
  // a thread for the flusher. It takes no lock: one process at a time is the caller's business.
  // Records that a mark says are whole are not looked at: Replay does.
  static absl::StatusOr<std::unique_ptr<Wal>> Open(std::string path,
                                                   const WalOptions& options = {});

  // The same, and has all records from redo.from_seq on visited before the first change on disk, so
  // that damage in them, or an error of the visitor, leaves every file as it was found. Each is
  // read once. OutOfRange, naming the numbers, if the log begins behind or ends before
  // redo.from_seq.
  static absl::StatusOr<std::unique_ptr<Wal>> Open(std::string path, const WalOptions& options,
                                                   const WalRedo& redo);

  // "dir/foo.emdb" -> "dir/foo.emdb.v4.wal"; a path without a file name -> "emdb.v4.wal" in that
  // directory.
  static std::string PathFor(std::string_view store_path);

  // Like Close, with errors dropped.
  ~Wal();
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  // Appends `record` and returns its seq. Durable on return only under OnEachWrite. InvalidArgument
  // beyond kMaxRecordBytes, ResourceExhausted without space, OutOfRange without a seq (they end
  // below 2^56 - 1), under Group the error of a write that failed before and fails again: nothing
  // is appended then. Under OnEachWrite a failed write takes the record back: its seq is used up,
  // and Replay skips it. What such a write left on disk may be found after all if the power goes
  // before the next good one, or, of a record larger than half the append buffer, if the process is
  // killed before the next append.
  absl::StatusOr<uint64_t> Append(std::string_view record);

  // Returns when `seq` is durable. InvalidArgument for a seq that was never handed out.
  absl::Status WaitForSeq(uint64_t seq);

  // Calls `done` once: with OK when `seq` is durable, with the error that a waiter would get, or
  // with Cancelled if Truncate empties the log before. It runs on the thread that completed the
  // sync, or on the log's own if that one is at an earlier sync's, under no lock, in order of seq;
  // it must be short and must not wait for the log. Called before NotifyDurable returns if `seq` is
  // durable already or the log has failed, when those of lower seqs may still be running.
  void NotifyDurable(uint64_t seq, std::function<void(const absl::Status&)> done);

  // Everything appended before the call is durable on return.
  absl::Status Flush();

  // Empties the log; the next record gets `first_seq`, which is durable before the call returns. A
  // seq takes 7 bytes on disk: above 2^56 - 1 it is InvalidArgument, and nothing has changed. No
  // other call may run at the same time.
  absl::Status Truncate(uint64_t first_seq = 0);

  // Seals the current segment and starts another; returns the seq of its first record. Waits for no
  // sync of the log, and makes no appender wait for one, unless its record is larger than the new
  // segment, or the append buffer is full: then until some of it has been written, behind a sync
  // that is running and those of segments that were begun. It also waits for the file of the new
  // segment while that is made, or a piece of it is overwritten with zeros and synced.
  absl::StatusOr<uint64_t> Rotate();

  // Drops, or keeps for recycling, the sealed segments whose records are all below `seq`. Appenders
  // do not wait. If no record is left, the files of the log are as small on return as those of a
  // new one.
  absl::Status TruncateBefore(uint64_t seq);

  // Sets *out to the bytes of all records that are kept, one after another. On an error, to those
  // in front of it.
  absl::Status ReadAll(std::string* out);

  // Calls `visit` for each appended record with a seq of at least `from_seq`, in order, up to the
  // last one appended before the call. OutOfRange, naming the first seq that is kept, if `from_seq`
  // is below it.
  absl::Status Replay(uint64_t from_seq, WalVisitor visit);

  // Stops the background, makes everything durable, marks the log as closed, and reports the first
  // error. Later calls that write are FailedPrecondition.
  absl::Status Close();

  std::string_view path() const;
  const StoreId& store_id() const;
  // Bytes of records appended and not yet durable.
  uint64_t pending_bytes() const;
  // The seq the next record gets.
  uint64_t next_seq() const;
  // Every seq below it is durable.
  uint64_t durable_seq() const;
  // A sync has failed: nothing that is not durable becomes so. Never false again. Who was given the
  // error sees it.
  bool failed() const;
  // The lowest seq that Replay can start from.
  uint64_t first_seq() const;
  WalStats stats() const;
  const WalRecovery& recovery() const;

 private:
  class Impl;
  static absl::StatusOr<std::unique_ptr<Wal>> OpenLog(std::string path, const WalOptions& options,
                                                      const WalRedo* redo);
  explicit Wal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace emdb

#endif  // EMDB_WAL_WAL_H_
