// Snapshot: one state of a Db, held for reading. It keeps the memory and disk space of that state
// until it is destroyed. Movable; thread safe to read through.
//
// It may outlive its Db: once that is closed there is nothing to read through it (reads are
// FailedPrecondition), it holds no disk space and no lock any more, and the memory of that state's
// memtables comes back when it is destroyed, whenever that is. Reading another Db through it, or
// through an empty one, is InvalidArgument.

#ifndef EMDB_KV_SNAPSHOT_H_
#define EMDB_KV_SNAPSHOT_H_

#include <cstdint>
#include <memory>

namespace emdb {

class DbLife;
struct ReadState;

class Snapshot {
 public:
  Snapshot() = default;
  Snapshot(Snapshot&&) = default;
  Snapshot& operator=(Snapshot&&) = default;

  // Every write with a lower sequence number is in it, no other.
  uint64_t seq() const { return seq_; }

 private:
  friend class Db;
  friend class DbImpl;
  std::shared_ptr<const DbLife> life_;  // of its Db; null: empty
  std::shared_ptr<const ReadState> state_;
  uint64_t seq_ = 0;
};

}  // namespace emdb

#endif  // EMDB_KV_SNAPSHOT_H_
