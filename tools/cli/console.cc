#include "tools/cli/console.h"

#include <cerrno>

#include "storage/status.h"

namespace emdb::cli {
namespace {

absl::Status OutputError() {
  const int error_number = errno;
  if (error_number == EPIPE) return absl::CancelledError("the output was closed");
  return IoError(error_number, "write", "to the output");
}

}  // namespace

absl::Status Console::Write(std::string_view data) const {
  if (std::fwrite(data.data(), 1, data.size(), out) == data.size()) return absl::OkStatus();
  return OutputError();
}

absl::Status Console::Flush() const {
  return std::fflush(out) == 0 ? absl::OkStatus() : OutputError();
}

void Console::Note(std::string_view line) const {
  std::fprintf(err, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace emdb::cli
