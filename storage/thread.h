// StartThread: the one way in which the engine starts a thread. That may fail at any time, for want
// of threads or of memory for a stack, and std::thread says so by an exception, which nobody here
// expects.
//
// Thread safe.

#ifndef EMDB_STORAGE_THREAD_H_
#define EMDB_STORAGE_THREAD_H_

#include <functional>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"

namespace emdb {

// Starts a thread that runs `run`, to be joined by the caller. ResourceExhausted if there can be no
// other one now: `run` is not called then, and a later call may succeed. `purpose` names the thread
// in that message, and to the system: "emdb " in front, cut to 15 bytes (top -H, perf, debuggers).
absl::StatusOr<std::thread> StartThread(std::string_view purpose, std::function<void()> run);

}  // namespace emdb

#endif  // EMDB_STORAGE_THREAD_H_
