// OccupyStandardStreams: descriptors 0 to 2, before any file is opened.

#ifndef EMDB_TOOLS_STANDARD_STREAMS_H_
#define EMDB_TOOLS_STANDARD_STREAMS_H_

#include "absl/status/status.h"

namespace emdb {

// A program may be started with standard streams that are closed (`2>&-`). The next file it opens
// gets such a descriptor, and what is printed goes into that file: call this first in main. Each
// that is closed is opened on /dev/null, the wrong way round, as gnulib's stdopen does: reading
// standard input, writing output or errors, still fails with EBADF.
absl::Status OccupyStandardStreams();

}  // namespace emdb

#endif  // EMDB_TOOLS_STANDARD_STREAMS_H_
