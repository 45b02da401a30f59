// Syntax: what a sub-command takes, declared once. The parser (arguments.h) and the help text are
// both made from it, so that neither can say what the other does not do.

#ifndef EMDB_TOOLS_CLI_SYNTAX_H_
#define EMDB_TOOLS_CLI_SYNTAX_H_

#include <string>
#include <string_view>
#include <vector>

namespace emdb::cli {

struct Option {
  enum class Kind {
    kSwitch,  // --name
    kText,    // --name=VALUE or --name VALUE
    kNumber,  // the same, decimal, up to 2^64 - 1
    kChoice,  // the same, one of `choices`
  };

  std::string name;  // without dashes
  Kind kind = Kind::kSwitch;
  std::string value_name = {};  // in the help: "N", "KEY"; of a choice, the choices are shown
  std::string default_value =
      {};  // empty: none. A kNumber and a kChoice have one, or mean something when absent
  std::vector<std::string> choices = {};
  std::string help = {};
};

struct Positional {
  enum class Count { kOne, kOptional, kAtLeastOne, kAny };

  std::string name;  // in capitals
  std::string help;
  Count count = Count::kOne;
};

struct Syntax {
  std::string name;
  std::string summary;  // one line, without a full stop
  std::string details = {};
  std::vector<Positional> positionals = {};  // only the last one may have another count than kOne
  std::vector<Option> options = {};
  std::vector<std::string> examples = {};  // whole command lines
};

// "emdb get STORE KEY... [options]", without "emdb " and STORE when typed in the shell.
std::string UsageLine(std::string_view program, const Syntax& syntax);

// The whole help of a sub-command.
std::string HelpText(std::string_view program, const Syntax& syntax);

// `text` in lines of at most `width` bytes (longer words stay whole), each after `indent` spaces;
// line breaks of `text` are kept. Ends without a line break.
std::string WrapText(std::string_view text, size_t indent, size_t width);

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_SYNTAX_H_
