// RecordLoader: writes records to a Db in batches.

#ifndef EMDB_TOOLS_CLI_RECORD_LOADER_H_
#define EMDB_TOOLS_CLI_RECORD_LOADER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kv/db.h"
#include "tools/cli/record_stream.h"

namespace emdb::cli {

class RecordLoader {
 public:
  struct Options {
    uint64_t batch_records = 1000;  // a batch also ends when it is large
    bool sync = false;              // each batch is durable before the next one is written
  };

  // `db` is not owned.
  RecordLoader(Db* db, const Options& options) : db_(db), options_(options) {}

  // InvalidArgument, and nothing is added, for a key or value outside of the limits.
  absl::Status Add(const Record& record);
  // Writes what is left. All that was added is durable on return.
  absl::Status Finish();

  // Records that the Db has accepted.
  uint64_t written() const { return written_; }

 private:
  absl::Status WriteBatchOut();

  Db* const db_;
  const Options options_;
  WriteBatch batch_;
  uint64_t written_ = 0;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_RECORD_LOADER_H_
