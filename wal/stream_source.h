// StreamSource: bytes of the log's stream, by their lsn, wherever they are kept.

#ifndef EMDB_WAL_STREAM_SOURCE_H_
#define EMDB_WAL_STREAM_SOURCE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

namespace emdb {

class StreamSource {
 public:
  virtual ~StreamSource() = default;

  // Reads bytes [lsn, lsn + size) of the stream, all of which the source has. Thread safe.
  virtual absl::Status Read(uint64_t lsn, size_t size, char* to) const = 0;
};

}  // namespace emdb

#endif  // EMDB_WAL_STREAM_SOURCE_H_
