// KillProof: shows that a killed writer loses nothing that was acknowledged to it.
//
// A child process stores the packages in durable batches. After Db::Write has returned OK for a
// batch, and only then, it writes the number of packages stored so far into a pipe: the
// acknowledgement. This process reads the pipe and sends SIGKILL at a random place. It then opens
// the store and compares with the source: every acknowledged package must be there byte by byte;
// what is there beyond must be whole batches in order.

#ifndef EMDB_TOOLS_QUICKSTART_KILL_PROOF_H_
#define EMDB_TOOLS_QUICKSTART_KILL_PROOF_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/db.h"
#include "tools/quickstart/package_index.h"

namespace emdb::quickstart {

class KillProof {
 public:
  struct Round {
    uint64_t first = 0;         // packages in the store when the writer started
    uint64_t acknowledged = 0;  // when it died
    uint64_t recovered = 0;     // found by the next open, in front of the first one missing
    uint64_t log_records_redone = 0;
    double open_seconds = 0;
  };

  // `index` is not owned. The store at `path` must not exist yet. This process must have no other
  // thread.
  KillProof(const PackageIndex* index, std::string path, uint64_t seed)
      : index_(index), path_(std::move(path)), random_(seed) {}

  // Starts a writer behind the last package that is in the store, kills it, and checks. DataLoss if
  // anything acknowledged is missing or different; that is what must never be returned.
  absl::StatusOr<Round> KillAndCheck();

  // Stores the rest in this process, and checks everything. Returns the statistics of storing it.
  absl::StatusOr<Stats> Finish();

  static constexpr uint64_t kBatchPackages = 50;

 private:
  // Stores packages [first, end); calls `acknowledge` with the count after each durable batch.
  absl::Status Store(Db* db, uint64_t first, uint64_t end,
                     absl::FunctionRef<absl::Status(uint64_t count)> acknowledge) const;
  // Stores packages up to `end` and waits there, store open, to be killed.
  [[noreturn]] void RunWriter(uint64_t end, int pipe_end) const;
  absl::Status CheckStore(Round* round);

  const PackageIndex* const index_;
  const std::string path_;
  std::mt19937_64 random_;
  uint64_t stored_ = 0;
};

}  // namespace emdb::quickstart

#endif  // EMDB_TOOLS_QUICKSTART_KILL_PROOF_H_
