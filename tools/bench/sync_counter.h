// Counts the durable writes that this process makes, whatever library makes them: fsync, fdatasync,
// syncfs, msync(MS_SYNC), writes with RWF_DSYNC, and writes to files opened with O_SYNC or O_DSYNC.
//
// A program that links this library has its own definitions of these functions, which count and
// pass on; shared libraries find them first. Not counted: what is submitted through io_uring.

#ifndef EMDB_TOOLS_BENCH_SYNC_COUNTER_H_
#define EMDB_TOOLS_BENCH_SYNC_COUNTER_H_

#include <cstdint>

namespace emdb::bench {

// Durable writes since the process started; thread safe. A child goes on from its parent's number.
uint64_t CountSyncs();

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_SYNC_COUNTER_H_
