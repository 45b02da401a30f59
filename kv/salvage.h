// Salvage: copies out of a damaged store everything that is still readable, into a new store, and
// lists what is not.
//
// What is taken, and in this order, later ones winning:
//  1. the records of the tree (page_salvager.h), as of the newest checkpoint that is whole;
//  2. for keys that the tree lost, what the log still holds of before that checkpoint;
//  3. strays: leaves that the tree lost the way to, and that are whole in themselves;
//  4. the log from the checkpoint on, in order of seq; also what is behind damage, although that is
//     no longer a prefix of the order of commits. A batch is taken whole or not at all.
// Every record in the new store was written to the old one at some time. Where nothing is lost the
// new store is what the old one was. Where something is, a key that lies in a part that is listed
// as lost may be missing, or have an older value, and a deleted one may be back.

#ifndef EMDB_KV_SALVAGE_H_
#define EMDB_KV_SALVAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/lost_piece.h"

namespace emdb {

struct SalvageReport {
  uint64_t records = 0;                 // in the new store
  uint64_t tree_records = 0;            // from the tree
  uint64_t stray_pages = 0;             // leaves that the tree lost, and that gave something
  uint64_t log_batches = 0;             // from the log
  uint64_t log_batches_behind_gap = 0;  // of them, with something missing in front
  std::vector<LostPiece> lost;          // empty: all there
};

// Reads the store `source` with its log, and makes the store `destination`, which passes
// Db::Verify and is durable on return. The source is locked, if it is there, and never written to.
// `env` null: PosixEnv().
//
// NotFound if there is neither store nor log. DataLoss if there are files, but nothing in them can
// be read: then nothing is made. AlreadyExists if there is a store at `destination`, or the log of
// one, which is left as it is. FailedPrecondition if the source is in use or of a newer format.
// After any other error the destination is incomplete.
absl::StatusOr<SalvageReport> Salvage(Env* env, const std::string& source,
                                      const std::string& destination);

}  // namespace emdb

#endif  // EMDB_KV_SALVAGE_H_
