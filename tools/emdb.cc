// emdb: the command line. All of it is in tools/cli.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/posix_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/exit_code.h"
#include "tools/standard_streams.h"

int main(int argc, char** argv) {
  if (const absl::Status status = emdb::OccupyStandardStreams(); !status.ok()) {
    std::fprintf(stderr, "emdb: %s\n", status.ToString().c_str());
    return static_cast<int>(emdb::cli::ExitCode::kFailed);
  }
  // A reader that has gone shows as EPIPE, and the store is closed properly.
  std::signal(SIGPIPE, SIG_IGN);
  const emdb::cli::Console console = {.in = stdin,
                                      .out = stdout,
                                      .err = stderr,
                                      .env = emdb::PosixEnv(),
                                      .in_is_terminal = ::isatty(STDIN_FILENO) == 1,
                                      .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
                                      .err_is_terminal = ::isatty(STDERR_FILENO) == 1};
  const std::vector<std::string> words(argv + 1, argv + argc);
  return static_cast<int>(emdb::cli::RunEmdb(words, console));
}
