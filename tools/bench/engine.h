// Engine, Session and Cursor: what a workload may ask of a database, the same for all of them; and
// CommitLog, which only some can give.
//
// An Engine is one open store. Threads work through a Session each, which is where an adapter keeps
// what its database wants per thread (LMDB's read transaction, SQLite's connection). Cursors come
// from a session, belong to its thread and end before it; sessions end before Compact and Close.
//
// Errors: NotFound only for a key that is not there; everything else ends the run of that engine.

#ifndef EMDB_TOOLS_BENCH_ENGINE_H_
#define EMDB_TOOLS_BENCH_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace emdb::bench {

enum class Durability {
  kUnsynced,  // survives a kill of the process; a power cut may take it back
  kSynced,    // survives a power cut when the call returns
};

struct WriteOperation {
  std::string_view key;
  std::optional<std::string_view> value;  // none: delete
};

// The records in key order, or back. Moved in one direction between two seeks: Next after Seek and
// SeekToFirst, Prev after SeekToLast. Shows the state at its creation.
class Cursor {
 public:
  virtual ~Cursor() = default;

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;  // the first key at or behind target
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual bool Valid() const = 0;
  // Only when Valid; good until the next move.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual absl::Status status() const = 0;
};

class Session {
 public:
  virtual ~Session() = default;

  virtual absl::Status Put(std::string_view key, std::string_view value, Durability durability) = 0;
  virtual absl::Status Delete(std::string_view key, Durability durability) = 0;
  // All of them or none.
  virtual absl::Status Write(absl::Span<const WriteOperation> operations,
                             Durability durability) = 0;
  virtual absl::Status Get(std::string_view key, std::string* value) = 0;
  // Starts a durable put and returns; `done` is called once, on any thread, when it is durable, or
  // with the error. The default waits. See EngineInfo::has_async_writes.
  virtual void PutAsync(std::string_view key, std::string_view value,
                        std::function<void(const absl::Status&)> done);
  // Resizes both results to the number of keys. The default is a loop over Get.
  virtual void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        std::vector<absl::Status>* statuses);
  virtual std::unique_ptr<Cursor> NewCursor() = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual absl::StatusOr<std::unique_ptr<Session>> NewSession() = 0;

  // Calls `next` until it returns false and stores what it gives, in the way that suits the engine
  // best: the records come in any order and need not be there as one. All of them are durable on
  // return. The default writes unsynced batches of 1,000 and then flushes.
  using RecordSource = absl::FunctionRef<bool(std::string_view* key, std::string_view* value)>;
  virtual absl::Status Load(RecordSource next);

  // Every record that is there, counted in the engine's best exact way. The default walks.
  virtual absl::StatusOr<uint64_t> Count();

  // Everything written so far is durable on return.
  virtual absl::Status Flush() = 0;
  // Returns when the work that writes left for later is done: memtables flushed, merges finished.
  virtual absl::Status Settle() = 0;
  // Gives back what space it can, in the engine's own way of doing so.
  virtual absl::Status Compact() = 0;
  virtual absl::Status Close() = 0;
};

// The log of an engine by itself, where it can be had: what its durable commits cost at least.
// Thread safe.
class CommitLog {
 public:
  virtual ~CommitLog() = default;

  // Durable on return.
  virtual absl::Status Append(std::string_view record) = 0;
  // Calls `visit` for each record, in the order of the log; ends at its first error.
  virtual absl::Status Replay(absl::FunctionRef<absl::Status(std::string_view record)> visit) = 0;
};

struct EngineOptions {
  std::string directory;  // exists; empty, or holds what the same engine left there
  uint64_t cache_bytes = uint64_t{1} << 30;
  uint64_t write_buffer_bytes = uint64_t{64} << 20;
  bool exceeds_memory = false;  // the data will; for engines that want to be told
};

// One line of the list of engines.
struct EngineInfo {
  std::string name;        // as flags and results name it
  std::string version;     // of the library that is linked in
  std::string setup;       // how it is configured, one line
  std::string durability;  // what kSynced and kUnsynced are for it, one line
  std::function<absl::StatusOr<std::unique_ptr<Engine>>(const EngineOptions& options)> open;
  bool has_log = true;  // which an open after a crash replays
  bool has_async_writes = false;
  // Makes a new log in `directory`. None: the engine's log is no library of its own.
  std::function<absl::StatusOr<std::unique_ptr<CommitLog>>(const std::string& directory)> open_log =
      nullptr;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ENGINE_H_
