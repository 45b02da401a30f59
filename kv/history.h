// History: what threads did to a database and saw of it, and whether it can be explained by doing
// the same operations one after another (linearizability; M. Herlihy, J. Wing, 1990), across a
// power cut too.
//
// An operation reads or writes any number of cells at once, so a history may hold puts, gets,
// batches, whole scans, and snapshots (one read of all that was ever seen through it). Values are
// numbers, and no value is written to a key twice; so a read names the write it saw, and the search
// for an order, which takes exponential time in general, hardly ever has to turn back.
//
// Not: the recording. Each thread fills operations of its own, with times of one clock.

#ifndef EMDB_KV_HISTORY_H_
#define EMDB_KV_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emdb {

struct Cell {
  static constexpr uint64_t kAbsent = 0;

  uint32_t key = 0;
  uint64_t value = kAbsent;  // a put's number; kAbsent: deleted, or seen not to be there
};

struct Operation {
  static constexpr uint64_t kNever = UINT64_MAX;
  enum class Kind {
    kWrite,
    kRead,
    // What was found after a power cut. It reads a state that may lie before writes that had
    // returned, but behind every durable one.
    kPowerCut,
  };

  Kind kind = Kind::kRead;
  int thread = 0;         // for messages
  uint64_t begin = 0;     // it took effect between these two,
  uint64_t end = kNever;  // kNever: it did not return OK, and may have had no effect (a write)
  std::vector<Cell> cells = {};  // each key at most once
  // Of a write: asked for durability, or was covered by a later Flush. Neither it nor what saw it
  // may be lost to a power cut.
  bool durable = false;
  // Of a read: the sequence number of its state. Reads that have one are in its order.
  std::optional<uint64_t> state_seq = std::nullopt;
};

struct Verdict {
  enum class Kind { kLinearizable, kViolation, kUndecided };
  Kind kind = Kind::kLinearizable;
  std::string explanation;      // of a violation: how far an order could be found
  std::vector<uint64_t> state;  // if linearizable: the value of each key in the end
};

// Looks for an order of `history`, starting with the value of key i being `initial[i]`. It is
// exact: kViolation means that there is none; kUndecided, that none was found in `max_steps`.
Verdict CheckLinearizable(const std::vector<Operation>& history,
                          const std::vector<uint64_t>& initial, uint64_t max_steps = 1'000'000);

}  // namespace emdb

#endif  // EMDB_KV_HISTORY_H_
