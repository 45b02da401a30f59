#include "storage/thread.h"

#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {

absl::StatusOr<std::thread> StartThread(std::string_view purpose, std::function<void()> run) {
  // The exception ends here: no call of emdb throws.
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "start a thread (", ToAbsl(purpose), "): ", error.code().message(),
        "; the process or its user has as many threads as it may have, or there is no memory for "
        "one more: see ulimit -u and -v, and pids.max of its control group"));
  }
}

}  // namespace emdb
