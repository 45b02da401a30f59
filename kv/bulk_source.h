// BulkSource: where the records of a Db::BulkLoad come from.

#ifndef EMDB_KV_BULK_SOURCE_H_
#define EMDB_KV_BULK_SOURCE_H_

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"

namespace emdb {

// Sets the next record, whose key and value stay readable until the next call; false if there is
// none. Is not called again after that or an error.
using BulkSource =
    std::function<absl::StatusOr<bool>(std::string_view* key, std::string_view* value)>;

}  // namespace emdb

#endif  // EMDB_KV_BULK_SOURCE_H_
