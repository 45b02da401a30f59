// Console: where a command reads and writes, so that tests can stand in for the terminal.
//
// Data goes to `out` and nothing else does; notes, progress and errors go to `err`. Writes to `out`
// are checked: when the reader has gone (EPIPE) the status is Cancelled, for the command to end
// quietly.

#ifndef EMDB_TOOLS_CLI_CONSOLE_H_
#define EMDB_TOOLS_CLI_CONSOLE_H_

#include <cstdio>
#include <string_view>

#include "absl/status/status.h"
#include "storage/env.h"

namespace emdb::cli {

struct Console {
  // Not owned.
  std::FILE* in = nullptr;
  std::FILE* out = nullptr;
  std::FILE* err = nullptr;
  Env* env = nullptr;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  absl::Status Write(std::string_view data) const;
  // What was written has reached the reader's side on return.
  absl::Status Flush() const;
  // A line for people. What goes wrong is dropped: there is no other place to say it.
  void Note(std::string_view line) const;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_CONSOLE_H_
