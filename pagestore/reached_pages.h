// ReachedPages: which pages of a store file a header leads to, found by walking from it, whatever
// the map of free space says. For tests that watch what is written, and when.

#ifndef EMDB_PAGESTORE_REACHED_PAGES_H_
#define EMDB_PAGESTORE_REACHED_PAGES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pagestore/page_format.h"
#include "storage/env.h"

namespace emdb {

// For each page of the file: whether it is a node of the header's tree, part of a large value, or a
// page of its map. Header slots are not. DataLoss if a page that is reached is not what its
// reference says; large values are not read.
absl::StatusOr<std::vector<bool>> ReachedPages(Env* env, const std::string& path,
                                               const StoreHeader& header);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_REACHED_PAGES_H_
