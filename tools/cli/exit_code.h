// ExitCode: how the emdb command ends, for scripts to rely on.

#ifndef EMDB_TOOLS_CLI_EXIT_CODE_H_
#define EMDB_TOOLS_CLI_EXIT_CODE_H_

#include <string>

#include "absl/status/status.h"

namespace emdb::cli {

enum class ExitCode : int {
  kOk = 0,
  kNotFound = 1,      // a key that was asked for is not there
  kUsage = 2,         // the command line, or a line of the input, is wrong
  kFailed = 3,        // I/O error, no space, no permission, no such store, or it is in use, or in
                      // the way
  kCorruption = 4,    // bytes on disk cannot be right
  kSomeLost = 5,      // salvage: a new store was made, and some of the old one is not in it
  kPipeClosed = 141,  // whoever read the output stopped; the code of a program ended by SIGPIPE
};

// NotFound is kNotFound: a missing file is FailedPrecondition here (command.h). Cancelled is
// kPipeClosed, Aborted kSomeLost: no command gets these from elsewhere. (Cancelled is also what
// Wal::Truncate makes of appends that wait; no command calls it.)
ExitCode ExitCodeFor(const absl::Status& status);

// One line a code, for the help.
std::string DescribeExitCodes();

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_EXIT_CODE_H_
