// Arguments: the words of a command line, checked against a Syntax.
//
// All that can be wrong is found by Parse, whose errors say what was found, what was expected, and
// what to do; the accessors cannot fail. Asking for an option that the Syntax does not declare is a
// programmer's error and ends the process.

#ifndef EMDB_TOOLS_CLI_ARGUMENTS_H_
#define EMDB_TOOLS_CLI_ARGUMENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/cli/syntax.h"

namespace emdb::cli {

class Arguments {
 public:
  // `words` come after the name of the command. Options may stand anywhere; what follows "--" is
  // positional even if it starts with a dash. With --help (or -h) nothing is missing.
  // InvalidArgument for all errors.
  static absl::StatusOr<Arguments> Parse(const Syntax& syntax, absl::Span<const std::string> words);

  bool help() const { return help_; }
  const std::vector<std::string>& positionals() const { return positionals_; }

  // Of a kSwitch.
  bool IsOn(std::string_view name) const;
  // True if it was given on the command line.
  bool IsGiven(std::string_view name) const;
  // Of a kText or kChoice: as given, or the default.
  const std::string& Text(std::string_view name) const;
  // Of a kNumber: as given, or the default.
  uint64_t Number(std::string_view name) const;

 private:
  struct Value {
    bool given = false;
    std::string text;
    uint64_t number = 0;
  };

  explicit Arguments(const Syntax& syntax);

  // Takes the option at the front of *words, and leaves its last word there.
  absl::Status ParseOption(const Syntax& syntax, absl::Span<const std::string>* words);
  const Value& Find(std::string_view name) const;

  bool help_ = false;
  std::vector<std::string> positionals_;
  std::map<std::string, Value, std::less<>> values_;
};

// A decimal number up to 2^64 - 1; nothing else, no sign, no space.
std::optional<uint64_t> ParseNumber(std::string_view text);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_ARGUMENTS_H_
