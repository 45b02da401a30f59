// EMDB_CHECK(condition): ends the process with file, line and condition when a programmer's error
// is found. Never for bytes that were read from disk: those are DataLoss statuses.

#ifndef EMDB_STORAGE_CHECK_H_
#define EMDB_STORAGE_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace emdb {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace emdb

#define EMDB_CHECK(condition)                              \
  do {                                                     \
    if (!(condition)) [[unlikely]]                         \
      ::emdb::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)

#endif  // EMDB_STORAGE_CHECK_H_
