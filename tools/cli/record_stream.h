// RecordReader and RecordWriter: records of a file format, one after another. Implementations:
// mdb_dump.h, tab_separated.h.

#ifndef EMDB_TOOLS_CLI_RECORD_STREAM_H_
#define EMDB_TOOLS_CLI_RECORD_STREAM_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace emdb::cli {

struct Record {
  std::string key;
  std::string value;
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Reads the next record; false at the end of the data. InvalidArgument naming the line of what is
  // malformed: nothing can be read behind it.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
  // What the user should know about what was read so far; empty if that is nothing.
  virtual std::string_view note() const { return {}; }
};

class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  // Begin, any number of Write, End; each once.
  virtual absl::Status Begin() = 0;
  virtual absl::Status Write(std::string_view key, std::string_view value) = 0;
  virtual absl::Status End() = 0;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_RECORD_STREAM_H_
