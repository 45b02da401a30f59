#include "kv/options_check.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/status.h"

namespace emdb {
namespace {

absl::Status OutOfRange(std::string_view name, uint64_t found, std::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("Options::", ToAbsl(name), " is ", found, "; it must be ", ToAbsl(expected)));
}

}  // namespace

absl::Status CheckOptions(const Options& options) {
  if (options.memtable_size < (size_t{64} << 10) || options.memtable_size > (size_t{16} << 30)) {
    return OutOfRange("memtable_size", options.memtable_size, "64 KiB to 16 GiB");
  }
  if (options.cache_size < (size_t{1} << 20) || options.cache_size > (size_t{1} << 40)) {
    return OutOfRange("cache_size", options.cache_size, "1 MiB to 1 TiB");
  }
  const uint32_t page = options.page_size;
  if (page != 8192 && page != 16384 && page != 32768 && page != 65536) {
    return OutOfRange("page_size", page, "8192, 16384, 32768 or 65536");
  }
  if (options.wal_segment_size < (uint64_t{64} << 10) ||
      options.wal_segment_size > (uint64_t{1} << 30)) {
    return OutOfRange("wal_segment_size", options.wal_segment_size, "64 KiB to 1 GiB");
  }
  const absl::Duration max_wait = options.flush_policy.max_wait();
  if (max_wait < absl::ZeroDuration() || max_wait > absl::Hours(1)) {
    return absl::InvalidArgumentError(absl::StrCat("Options::flush_policy: max_wait is ",
                                                   absl::FormatDuration(max_wait),
                                                   "; it must be 0 to 1 hour"));
  }
  if (options.read_only && options.error_if_exists) {
    return absl::InvalidArgumentError(
        "Options: read_only opens an existing store, which error_if_exists refuses; set one of "
        "them");
  }
  return absl::OkStatus();
}

}  // namespace emdb
