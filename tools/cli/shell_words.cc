#include "tools/cli/shell_words.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace emdb::cli {

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  bool in_quotes = false;
  char quote = '"';
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool is_space = c == ' ' || c == '\t';
    if (!in_quotes && is_space) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
      continue;
    }
    if (!in_quotes && !in_word && c == '#') break;
    in_word = true;
    if (in_quotes && c == quote) {
      in_quotes = false;
    } else if (!in_quotes && (c == '\'' || c == '"')) {
      in_quotes = true;
      quote = c;
    } else {
      word.push_back(c);
      if (c == '\\' && i + 1 < line.size()) word.push_back(line[++i]);
    }
  }
  if (in_quotes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a quote ", std::string(1, quote),
                     " is not closed; for the character itself write \\", std::string(1, quote)));
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace emdb::cli
