// WarmMemory: has free memory of the machine at hand before something is measured.
//
// A hypervisor takes back what a virtual machine has freed a few seconds ago, and gives it again
// when it is touched, for some 10 microseconds per 4 KiB page. Whatever runs behind a pause would
// pay for that, by the memory that it uses and by who ran before it, and not for what it does: a
// load of 170 MiB takes twice as long then.

#ifndef EMDB_TOOLS_BENCH_MEMORY_WARMER_H_
#define EMDB_TOOLS_BENCH_MEMORY_WARMER_H_

#include <cstdint>

namespace emdb::bench {

// Touches `bytes` of memory, or a quarter of what is available if that is less, and frees it.
// Returns how many bytes that were.
uint64_t WarmMemory(uint64_t bytes);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_MEMORY_WARMER_H_
