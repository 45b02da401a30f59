#include "kv/bulk_load.h"

#include "absl/status/statusor.h"

namespace emdb {

void BulkLoadChanges::Next() {
  const absl::StatusOr<bool> more = source_(&key_, &value_);
  status_ = more.status();
  valid_ = more.ok() && *more;
}

}  // namespace emdb
