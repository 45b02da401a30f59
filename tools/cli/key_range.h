// KeyRange: the part of a store that a command works on, and the options that choose it.

#ifndef EMDB_TOOLS_CLI_KEY_RANGE_H_
#define EMDB_TOOLS_CLI_KEY_RANGE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/db.h"
#include "tools/cli/arguments.h"
#include "tools/cli/byte_format.h"
#include "tools/cli/tab_separated.h"

namespace emdb::cli {

// --key-format and --value-format; with `both`, also --format, which stands for the two.
std::vector<Option> FormatOptions(bool both);
RecordFormat RecordFormatFrom(const Arguments& arguments, bool both);

// --prefix, --from and --to.
std::vector<Option> RangeOptions();

// Keys in [lower, upper); an empty string is no bound.
struct KeyRange {
  std::string lower;
  std::string upper;
  // Nothing can be in it.
  bool is_empty() const { return !upper.empty() && lower >= upper; }
};

// The keys that are within all of --prefix, --from and --to.
absl::StatusOr<KeyRange> KeyRangeFrom(const Arguments& arguments, ByteFormat key_format);

// The first key behind all keys that start with `prefix`; empty if there is none.
std::string PrefixEnd(std::string_view prefix);

struct Walk {
  KeyRange range = {};
  bool reverse = false;
  uint64_t limit = UINT64_MAX;
};

// Calls `visit` for each record in order. An error of `visit` ends it and is returned.
absl::Status ForEachRecord(const Db& db, const Walk& walk,
                           absl::FunctionRef<absl::Status(const Iterator& at)> visit);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_KEY_RANGE_H_
