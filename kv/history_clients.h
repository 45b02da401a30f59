// Threads that use a Db at once, by a seed, and record what they did and saw, for history.h; and
// power cuts while they do it.

#ifndef EMDB_KV_HISTORY_CLIENTS_H_
#define EMDB_KV_HISTORY_CLIENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/db.h"
#include "kv/history.h"
#include "storage/fault_env.h"

namespace emdb {

inline constexpr uint32_t kHistoryKeys = 10;

// So small that segments and memtables fill up.
Options HistoryOptions();

// The clock of all operations.
uint64_t HistoryTime();

struct Recording {
  std::vector<Operation> history;
  absl::Status read_error;    // a first one
  std::string contradiction;  // within one iterator or snapshot; "": none
};

// Runs six threads at once. `*numbers` is where the numbers of their puts go on. `disk` is null, or
// what the Db is on: behind a power cut nobody hears an answer.
Recording RunClients(Db* db, const FaultEnv* disk, uint64_t seed, uint64_t* numbers);

// The whole state, as found when nothing else runs.
absl::StatusOr<Operation> ReadAll(const Db& db, Operation::Kind kind);

// Holds histories that follow each other on one store against what they may be.
class HistoryChecker {
 public:
  // `last`, the last of `history`, is the state that the next one begins with.
  void Check(const std::vector<Operation>& history, const Operation& last);

  const std::string& violation() const { return violation_; }  // "": none
  uint64_t checked() const { return checked_; }
  // Histories in which threads overlapped for so long that an order was not found in time.
  uint64_t undecided() const { return undecided_; }

 private:
  std::vector<uint64_t> state_ = std::vector<uint64_t>(kHistoryKeys, Cell::kAbsent);
  std::string violation_;
  uint64_t checked_ = 0;
  uint64_t undecided_ = 0;
};

// Cuts the power on a simulated disk while clients run, `power_cuts` times in a row. What is found
// must be a state that the history went through, behind everything that was durable, and behind
// every synced write that a reader had seen. Returns what is wrong, or "".
std::string RunPowerCuts(uint64_t seed, uint64_t power_cuts, HistoryChecker* checker);

}  // namespace emdb

#endif  // EMDB_KV_HISTORY_CLIENTS_H_
