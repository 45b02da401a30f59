// CommitModel: what a database must hold, may hold and must not hold, given the writes it was asked
// for, one after another, and what it answered. Tests feed it, and show it what they find.
//
// The promise it stands for (kv/db.h): what is found after a crash is a prefix of the order of
// commits; at least every durable write is in it; a batch is whole or absent. A write that returned
// an error may be found after a crash, at its place in that order, or not.

#ifndef EMDB_KV_COMMIT_MODEL_H_
#define EMDB_KV_COMMIT_MODEL_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kv/observation.h"

namespace emdb {

class CommitModel {
 public:
  // Later changes of a key win; no value: deleted.
  using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

  enum class Outcome {
    kAcknowledged,  // OK: survives a kill of the process
    kDurable,       // OK of a synced write: with all before it, survives a power cut
    kUncertain,     // an error, but the write may be in the log
  };
  enum class Loss {
    kNothing,          // no crash, or one that takes nothing that was acknowledged: a kill
    kWhatIsNotDurable  // a power cut, or a reopening after a disk that failed
  };

  void Record(Changes changes, Outcome outcome);
  // All that was acknowledged is durable: a Flush, Checkpoint or Close returned OK.
  void MarkDurable();

  // What the running database must show.
  const Contents& visible() const { return visible_; }
  // Every key that was ever written.
  const std::set<std::string>& keys() const { return keys_; }
  size_t uncertain_count() const { return uncertain_; }

  // Finds out which of the allowed states a reopened database is in, and goes on from it. "" or
  // what is wrong, in comparison with the fullest of them.
  std::string Reopened(const Observation& found, Loss loss);

 private:
  struct Commit {
    Changes changes;
    Outcome outcome;
  };

  // The state of `count` commits, without those uncertain ones whose bit is set in `left_out`.
  Contents StateOf(size_t count, uint64_t left_out) const;

  Contents base_;  // what the last reopening found
  std::vector<Commit> commits_;
  size_t durable_ = 0;  // so many commits must survive, but for uncertain ones
  size_t uncertain_ = 0;
  Contents visible_;
  std::set<std::string> keys_;
};

}  // namespace emdb

#endif  // EMDB_KV_COMMIT_MODEL_H_
