// The emdb command: finds the sub-command, checks its arguments, opens the store, runs it.

#ifndef EMDB_TOOLS_CLI_CLI_H_
#define EMDB_TOOLS_CLI_CLI_H_

#include <string>

#include "absl/types/span.h"
#include "tools/cli/console.h"
#include "tools/cli/exit_code.h"

namespace emdb::cli {

// `words` are those behind the program's name. Errors are printed to console.err. All output has
// been flushed on return.
ExitCode RunEmdb(absl::Span<const std::string> words, const Console& console);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_CLI_H_
