// Reads large values from their extents.

#ifndef EMDB_PAGESTORE_VALUE_READER_H_
#define EMDB_PAGESTORE_VALUE_READER_H_

#include <string>

#include "absl/status/status.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"

namespace emdb {

// Replaces *value, reusing its memory. Every read is checked against the extent's checksum: on an
// error (DataLoss, I/O) *value is empty. Needs up to 1 MiB of memory beside the value.
absl::Status ReadValue(const PageFile& file, const ExtentRef& extent, std::string* value);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_VALUE_READER_H_
