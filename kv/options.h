// Options, ReadOptions and WriteOptions of a Db. Plain values; Db::Open checks them and says what
// is wrong.

#ifndef EMDB_KV_OPTIONS_H_
#define EMDB_KV_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "storage/env.h"
#include "wal/options.h"

namespace emdb {

class Snapshot;

struct Options {
  bool create_if_missing = true;
  bool error_if_exists = false;
  // Any number of read-only opens of a store at a time, and no writing one beside them. Nothing on
  // disk changes; the log is replayed in memory.
  bool read_only = false;

  // When a write that does not ask for `sync` becomes durable. OnEachWrite makes every write
  // durable before it returns; Group takes 0 to 1 hour; Manual leaves it to writes with `sync`, a
  // checkpoint and Close.
  FlushPolicy flush_policy = FlushPolicy::Group(absl::Milliseconds(5));
  IoMode wal_io_mode = IoMode::kBuffered;

  // Bytes, 64 KiB to 16 GiB. Writes gather in memory up to this size, then move to the page store
  // in the background. An open Db uses about twice this, the cache, and what snapshots and
  // iterators hold of older memtables.
  //
  // Opening may take more for a time: all that the log holds behind the checkpoint is in memory
  // until the log is known to be whole, as much as the process that wrote it had in its memtables,
  // whatever is set here. What is too much then goes to the page store; a read-only open keeps it,
  // and so does one that cannot move it.
  size_t memtable_size = size_t{64} << 20;
  // Bytes of pages kept in memory. 1 MiB to 1 TiB.
  size_t cache_size = size_t{256} << 20;

  // Bytes of a page of a new store: 8192, 16384, 32768 or 65536. An existing one keeps its own.
  uint32_t page_size = 8192;
  // Bytes, 64 KiB to 1 GiB. The log's files begin small, and are made up to this large where much
  // is written; a record that is larger gets a file of its own size.
  uint64_t wal_segment_size = uint64_t{64} << 20;

  // Null: the operating system's files. Must outlive the Db and its iterators.
  Env* env = nullptr;
};

struct WriteOptions {
  // OK means durable: a power cut can no longer take it back.
  bool sync = false;
};

struct ReadOptions {
  // Read this state instead of the newest; must come from the same Db and live through
  // the call; an Iterator keeps what it needs.
  const Snapshot* snapshot = nullptr;
  // An Iterator shows keys in [lower_bound, upper_bound); empty: no bound. Copied by NewIterator.
  std::string_view lower_bound = {};
  std::string_view upper_bound = {};
};

}  // namespace emdb

#endif  // EMDB_KV_OPTIONS_H_
