// RunForked: runs many independent checks in child processes, so that a check that crashes, hangs
// or eats memory is a failure with a number, and does not end the test.

#ifndef EMDB_KV_FORKED_RUN_H_
#define EMDB_KV_FORKED_RUN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace emdb {

struct ForkedRun {
  std::vector<std::string> failures;
  uint64_t peak_memory_bytes = 0;  // the most that a child had resident
};

struct ForkedRunOptions {
  unsigned processes = 2;  // at most 16
  unsigned seconds_per_check = 60;
  // Each child keeps to one processor, where its threads take turns. What a check takes is mostly
  // memory that the kernel maps and unmaps, and that is twice as fast without a word to the other
  // processors. Not for checks that are after races.
  bool one_processor_each = false;
};

// Calls check(i) for each i below `count`; it returns what is wrong, or "". A child ends at its
// fifth failure, or by a signal. No other thread may run in this process meanwhile.
ForkedRun RunForked(uint64_t count, const std::function<std::string(uint64_t)>& check,
                    const ForkedRunOptions& options = {});

}  // namespace emdb

#endif  // EMDB_KV_FORKED_RUN_H_
