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
  errno = 0;
  const ssize_t length = ::getline(&buffer_, &capacity_, stream_);
  if (length < 0) {
    // At the end of the file errno stays as it was.
    if (std::feof(stream_) != 0 && errno == 0) return false;
    return IoError(errno, "read", name_);
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
