// CheckOptions: whether the Options of a Db make sense, before anything is opened.

#ifndef EMDB_KV_OPTIONS_CHECK_H_
#define EMDB_KV_OPTIONS_CHECK_H_

#include "absl/status/status.h"
#include "kv/options.h"

namespace emdb {

// InvalidArgument names the option, what was found and what it may be.
absl::Status CheckOptions(const Options& options);

}  // namespace emdb

#endif  // EMDB_KV_OPTIONS_CHECK_H_
