#include "storage/thread.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {
namespace {

// The system's limit, without the zero.
constexpr size_t kThreadNameBytes = 15;

void NameThread(std::string_view purpose) {
  std::string name = "emdb ";
  name.append(purpose);
  name.resize(std::min(name.size(), kThreadNameBytes));
  // Only for those who look: a thread without its name works as well.
  (void)pthread_setname_np(pthread_self(), name.c_str());
}

}  // namespace

absl::StatusOr<std::thread> StartThread(std::string_view purpose, std::function<void()> run) {
  // The exception ends here: no call of emdb throws.
  try {
    return std::thread([name = std::string(purpose), run = std::move(run)] {
      NameThread(name);
      run();
    });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "start a thread (", ToAbsl(purpose), "): ", error.code().message(),
        "; the process or its user has as many threads as it may have, or there is no memory for "
        "one more: see ulimit -u and -v, and pids.max of its control group"));
  }
}

}  // namespace emdb
