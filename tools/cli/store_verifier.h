// VerifyStore: reads every page of a store and every record of its log, and checks that they belong
// together.

#ifndef EMDB_TOOLS_CLI_STORE_VERIFIER_H_
#define EMDB_TOOLS_CLI_STORE_VERIFIER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/page_store.h"
#include "storage/env.h"

namespace emdb::cli {

struct VerifyReport {
  // What is wrong with one of them does not hide how the other is. The first thing that is, of
  // each.
  absl::Status pages_status;
  absl::Status log_status;
  PageStoreStats pages;  // if the store file can be opened
  uint64_t log_first_seq = 0;
  uint64_t log_next_seq = 0;
  uint64_t log_records = 0;     // a batch in two parts counts once, a first part alone not at all
  uint64_t log_operations = 0;  // puts and deletions in them
  uint64_t log_bytes_cut = 0;   // of a torn tail, which is no damage
};

// Changes nothing on disk. An error only if there is no store (DataLoss if its log says that there
// was), or it is in use; what is wrong with it is in the report.
absl::StatusOr<VerifyReport> VerifyStore(
    Env* env, const std::string& store_path,
    const std::function<void(uint64_t done, uint64_t total)>& page_progress);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_STORE_VERIFIER_H_
