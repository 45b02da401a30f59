// "Did you mean": the known word nearest to a mistyped one.

#ifndef EMDB_TOOLS_CLI_SUGGESTION_H_
#define EMDB_TOOLS_CLI_SUGGESTION_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace emdb::cli {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`
// (Damerau-Levenshtein, optimal string alignment).
size_t EditDistance(std::string_view a, std::string_view b);

// "; did you mean WORD?" for the nearest of `known`, or "" if none is near: at most two edits and
// fewer than half of the word, or the beginning of a single known one.
std::string DidYouMean(std::string_view word, absl::Span<const std::string> known);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_SUGGESTION_H_
