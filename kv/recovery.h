// LogRedo: brings the memtables of a Db to the state its log describes: everything from the page
// store's next_seq on.
//
// The records of each memtable are collected, sorted and appended (memtable_builder.h). They all
// stay in memory until the log is known to be whole, so that a refused open changes nothing on
// disk: as much as the process that wrote the log had. Then what does not fit into the active and
// one frozen memtable goes to the page store, oldest first; a read-only open keeps it in memory,
// and so does one that cannot move it, which leaves it to the Checkpointer.
//
// Not thread safe.

#ifndef EMDB_KV_RECOVERY_H_
#define EMDB_KV_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/arena.h"
#include "kv/memtable.h"
#include "kv/memtable_builder.h"
#include "kv/options.h"
#include "kv/read_state.h"
#include "kv/split_batch.h"
#include "kv/write_batch.h"
#include "pagestore/page_store.h"

namespace emdb {

struct RedoneLog {
  ReadState state;
  uint64_t records = 0;  // log records applied
};

class LogRedo {
 public:
  // `options` must outlive it; `pool` gives the memtables their memory.
  LogRedo(const Options& options, std::shared_ptr<ArenaPool> pool);

  // Applies the next record of the log. DataLoss for one that is no batch.
  absl::Status Add(uint64_t seq, std::string_view record);

  // After the last record, when the log is open: all in it is durable. Called once.
  absl::StatusOr<RedoneLog> Finish(PageStore* store);

 private:
  struct Operation {
    WriteBatch::Kind kind;
    std::string_view key;
    std::string_view value;
  };

  absl::Status StartMemtable(size_t room_bytes);
  // For a batch whose first record is that of `seq`.
  absl::Status MakeRoom(uint64_t seq, size_t room_bytes);
  absl::Status Decode(std::string_view batch);
  void Freeze(uint64_t end_seq);
  void MergeSurplus(PageStore* store);

  const Options& options_;
  const std::shared_ptr<ArenaPool> pool_;
  std::shared_ptr<Memtable> active_;  // null before the first batch
  std::optional<MemtableBuilder> builder_;
  std::deque<std::shared_ptr<Memtable>> frozen_;  // oldest first
  BatchJoiner joiner_;
  std::vector<Operation> operations_;  // of one batch
  uint64_t records_ = 0;
};

// The arena of a memtable of the given size: room to pass the limit by an ordinary batch.
size_t MemtableCapacity(size_t memtable_size);

}  // namespace emdb

#endif  // EMDB_KV_RECOVERY_H_
