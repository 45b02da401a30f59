#include "tools/cli/line_reader.h"

#include <sys/types.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {

LineReader::~LineReader() { std::free(buffer_); }

absl::StatusOr<bool> LineReader::Next() {
  if (put_back_) {
    put_back_ = false;
    return true;
  }
  const ssize_t length = ::getline(&buffer_, &capacity_, stream_);
  const int error_number = errno;
  // Also with a length: an error within a line gives what had come of it.
  if (std::ferror(stream_) != 0) return IoError(error_number, "read", name_);
  if (length < 0) {
    if (std::feof(stream_) != 0) return false;
    return IoError(error_number, "read", name_);  // no memory for the line
  }
  line_ = std::string_view(buffer_, static_cast<size_t>(length));
  bytes_ += line_.size();
  if (line_.ends_with('\n')) line_.remove_suffix(1);
  ++line_number_;
  return true;
}

absl::Status LineReader::Error(std::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ", line ", line_number_, ": ", ToAbsl(what)));
}

}  // namespace emdb::cli
