// Verifies a whole generation of a store: the invariants of page_store.h and node.h as a program.

#ifndef EMDB_PAGESTORE_VERIFY_H_
#define EMDB_PAGESTORE_VERIFY_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"

namespace emdb {

using VerifyProgress = std::function<void(uint64_t done, uint64_t total)>;

// Reads everything that `header` reaches, from the file and not from the cache, and both header
// slots. OK, an I/O error, or DataLoss for the first thing wrong. Its generation must be the newest
// and stay so meanwhile. `progress` may be null. Takes one bit of memory for each page of the file.
absl::Status VerifyStore(const PageFile& file, const StoreHeader& header,
                         const VerifyProgress& progress);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_VERIFY_H_
