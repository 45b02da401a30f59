// SplitWords: a line of the shell into words.

#ifndef EMDB_TOOLS_CLI_SHELL_WORDS_H_
#define EMDB_TOOLS_CLI_SHELL_WORDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace emdb::cli {

// Words are separated by spaces and tabs. '...' and "..." keep them together and are removed. A
// backslash and the byte behind it stay as they are, quoted or not, and do not end a quote: text
// keys and values have their own escapes (byte_format.h). A # where a word would start begins a
// comment. InvalidArgument for an open quote.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_SHELL_WORDS_H_
