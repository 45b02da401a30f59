// Snapshot: one state of a Db, held for reading. It keeps the memory and disk space of that state
// until it is destroyed, which must be before the Db is closed. Movable; thread safe to read
// through.

#ifndef EMDB_KV_SNAPSHOT_H_
#define EMDB_KV_SNAPSHOT_H_

#include <cstdint>
#include <memory>

namespace emdb {

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
  std::shared_ptr<const ReadState> state_;
  uint64_t seq_ = 0;
};

}  // namespace emdb

#endif  // EMDB_KV_SNAPSHOT_H_
