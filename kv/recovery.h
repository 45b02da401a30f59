// RedoLog: brings the memtables of a Db to the state its log describes: everything from the page
// store's next_seq on.
//
// The records of each memtable are collected, sorted and appended (memtable_builder.h). What does
// not fit into the active and one frozen memtable goes to the page store at once, oldest first; a
// read-only open keeps it in memory.

#ifndef EMDB_KV_RECOVERY_H_
#define EMDB_KV_RECOVERY_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "kv/arena.h"
#include "kv/options.h"
#include "kv/read_state.h"
#include "kv/store_files.h"

namespace emdb {

struct RedoneLog {
  ReadState state;
  uint64_t records = 0;  // log records applied
};

// DataLoss, naming the seq, for a record that is no batch. `pool` gives the memtables their memory.
absl::StatusOr<RedoneLog> RedoLog(const Options& options, std::shared_ptr<ArenaPool> pool,
                                  StoreFiles* files);

// The arena of a memtable of the given size: room to pass the limit by an ordinary batch.
size_t MemtableCapacity(size_t memtable_size);

}  // namespace emdb

#endif  // EMDB_KV_RECOVERY_H_
