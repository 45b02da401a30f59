// LineReader: the lines of a stream, counted, of any length and with any bytes but the newline.
//
// Not thread safe. The stream is not owned.

#ifndef EMDB_TOOLS_CLI_LINE_READER_H_
#define EMDB_TOOLS_CLI_LINE_READER_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace emdb::cli {

class LineReader {
 public:
  // `name` is the stream's name in errors.
  LineReader(std::FILE* stream, std::string name) : stream_(stream), name_(std::move(name)) {}
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Reads the next line; false at the end. A last line without newline counts.
  absl::StatusOr<bool> Next();
  // What Next has read, without its newline; valid until the next call.
  std::string_view line() const { return line_; }
  // The next Next returns the same line again. At most once a line.
  void PutBack() { put_back_ = true; }

  const std::string& name() const { return name_; }
  // Of the last line, from 1.
  uint64_t line_number() const { return line_number_; }
  // Read so far.
  uint64_t bytes() const { return bytes_; }

  // InvalidArgument "NAME, line N: what".
  absl::Status Error(std::string_view what) const;

 private:
  std::FILE* const stream_;
  const std::string name_;
  char* buffer_ = nullptr;  // getline's: allocated and grown by malloc, freed by the destructor
  size_t capacity_ = 0;
  std::string_view line_;
  uint64_t line_number_ = 0;
  uint64_t bytes_ = 0;
  bool put_back_ = false;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_LINE_READER_H_
