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
  // durable; Group takes 0 to 1 hour.
  FlushPolicy flush_policy = FlushPolicy::Group(absl::Milliseconds(5));
  IoMode wal_io_mode = IoMode::kBuffered;

  // Writes gather in memory up to this size, then move to the page store in the background. At most
  // twice this and the cache is used. 64 KiB to 16 GiB.
  size_t memtable_size = size_t{64} << 20;
  // Pages kept in memory. 1 MiB to 1 TiB.
  size_t cache_size = size_t{256} << 20;

  // Of a new store: 8, 16, 32 or 64 KiB. An existing one keeps its own.
  uint32_t page_size = 8192;
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
