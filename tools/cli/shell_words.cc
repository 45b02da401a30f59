#include "tools/cli/shell_words.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace emdb::cli {

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool is_space = c == ' ' || c == '\t';
    if (quote == '\0' && is_space) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
      continue;
    }
    if (quote == '\0' && !in_word && c == '#') break;
    in_word = true;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else {
      word.push_back(c);
      if (c == '\\' && i + 1 < line.size()) word.push_back(line[++i]);
    }
  }
  if (quote != '\0') {
    return absl::InvalidArgumentError(
        absl::StrCat("a quote ", std::string(1, quote),
                     " is not closed; for the character itself write \\", std::string(1, quote)));
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace emdb::cli
