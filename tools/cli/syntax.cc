#include "tools/cli/syntax.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

constexpr size_t kWidth = 92;
constexpr size_t kColumn = 26;  // where the descriptions of options start

std::string PositionalUsage(const Positional& positional) {
  switch (positional.count) {
    case Positional::Count::kOne:
      return positional.name;
    case Positional::Count::kOptional:
      return absl::StrCat("[", positional.name, "]");
    case Positional::Count::kAtLeastOne:
      return absl::StrCat(positional.name, "...");
    case Positional::Count::kAny:
      return absl::StrCat("[", positional.name, "...]");
  }
  return positional.name;
}

std::string OptionUsage(const Option& option) {
  const std::string& value =
      option.kind == Option::Kind::kChoice ? absl::StrJoin(option.choices, "|") : option.value_name;
  return value.empty() ? absl::StrCat("--", option.name)
                       : absl::StrCat("--", option.name, "=", value);
}

// `left` and its description beside it, or below when `left` is too long.
void AppendEntry(std::string_view left, std::string_view description, std::string* out) {
  absl::StrAppend(out, "  ", ToAbsl(left));
  const size_t used = left.size() + 2;
  if (used + 2 > kColumn) {
    absl::StrAppend(out, "\n", WrapText(description, kColumn, kWidth), "\n");
  } else {
    absl::StrAppend(out, std::string(kColumn - used, ' '),
                    WrapText(description, kColumn, kWidth).substr(kColumn), "\n");
  }
}

}  // namespace

std::string WrapText(std::string_view text, size_t indent, size_t width) {
  std::string out;
  for (absl::string_view paragraph : absl::StrSplit(ToAbsl(text), '\n')) {
    if (!out.empty()) out.push_back('\n');
    size_t column = 0;
    for (absl::string_view word : absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      if (column > 0 && column + 1 + word.size() > width) {
        out.push_back('\n');
        column = 0;
      }
      if (column == 0) {
        out.append(indent, ' ');
        column = indent;
      } else {
        out.push_back(' ');
        ++column;
      }
      out.append(word.data(), word.size());
      column += word.size();
    }
  }
  return out;
}

std::string UsageLine(std::string_view program, const Syntax& syntax) {
  std::string line = absl::StrCat(ToAbsl(program), program.empty() ? "" : " ", syntax.name);
  for (const Positional& positional : syntax.positionals) {
    absl::StrAppend(&line, " ", PositionalUsage(positional));
  }
  if (!syntax.options.empty()) absl::StrAppend(&line, " [options]");
  return line;
}

std::string HelpText(std::string_view program, const Syntax& syntax) {
  std::string out = absl::StrCat("Usage: ", UsageLine(program, syntax), "\n\n",
                                 WrapText(absl::StrCat(syntax.summary, "."), 0, kWidth), "\n");
  if (!syntax.details.empty()) absl::StrAppend(&out, WrapText(syntax.details, 0, kWidth), "\n");
  out.push_back('\n');
  for (const Positional& positional : syntax.positionals) {
    AppendEntry(positional.name, positional.help, &out);
  }
  for (const Option& option : syntax.options) {
    std::string help = option.help;
    if (!option.default_value.empty()) {
      absl::StrAppend(&help, " (default: ", option.default_value, ")");
    }
    AppendEntry(OptionUsage(option), help, &out);
  }
  AppendEntry("--help", "this text", &out);
  if (!syntax.examples.empty()) absl::StrAppend(&out, "\nExamples:\n");
  for (const std::string& example : syntax.examples) absl::StrAppend(&out, "  ", example, "\n");
  return out;
}

}  // namespace emdb::cli
