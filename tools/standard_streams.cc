#include "tools/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "storage/status.h"

namespace emdb {

absl::Status OccupyStandardStreams() {
  constexpr char kNull[] = "/dev/null";
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // Gets the lowest one that is free, which is this one: those below it are taken by now.
    const int fd = ::open(kNull, stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (fd < 0) return IoError(errno, "open", kNull);
  }
  return absl::OkStatus();
}

}  // namespace emdb
