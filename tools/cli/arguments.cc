#include "tools/cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/check.h"
#include "storage/status.h"
#include "tools/cli/suggestion.h"

namespace emdb::cli {
namespace {

const Option* FindOption(const Syntax& syntax, std::string_view name) {
  const auto found = std::find_if(syntax.options.begin(), syntax.options.end(),
                                  [name](const Option& option) { return option.name == name; });
  return found == syntax.options.end() ? nullptr : &*found;
}

absl::Status UnknownOption(const Syntax& syntax, std::string_view word, std::string_view name) {
  std::vector<std::string> known = {"help"};
  for (const Option& option : syntax.options) known.push_back(option.name);
  std::string suggestion = DidYouMean(name, known);
  if (const size_t at = suggestion.find("mean "); at != std::string::npos) {
    suggestion.insert(at + 5, "--");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown option ", ToAbsl(word), suggestion,
                   " (if it is a key or a value, put -- in front of it)"));
}

absl::Status CheckValue(const Option& option, std::string_view value) {
  if (option.kind == Option::Kind::kNumber && !ParseNumber(value).has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("--", option.name, " expects a number of 0 to ",
                                                   UINT64_MAX, ", found \"", ToAbsl(value), "\""));
  }
  if (option.kind == Option::Kind::kChoice &&
      std::find(option.choices.begin(), option.choices.end(), value) == option.choices.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", option.name, " expects one of ", absl::StrJoin(option.choices, ", "),
                     ", found \"", ToAbsl(value), "\"", DidYouMean(value, option.choices)));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(const Syntax& syntax, const std::vector<std::string>& words) {
  size_t required = 0;
  bool repeated = false;
  for (const Positional& positional : syntax.positionals) {
    const Positional::Count count = positional.count;
    if (count == Positional::Count::kOne || count == Positional::Count::kAtLeastOne) ++required;
    repeated |= count == Positional::Count::kAtLeastOne || count == Positional::Count::kAny;
  }
  if (words.size() < required) {
    return absl::InvalidArgumentError(absl::StrCat("missing ",
                                                   syntax.positionals[words.size()].name, ": ",
                                                   syntax.positionals[words.size()].help));
  }
  if (!repeated && words.size() > syntax.positionals.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument \"", words[syntax.positionals.size()],
                     "\": quote keys and values that contain spaces"));
  }
  return absl::OkStatus();
}

}  // namespace

Arguments::Arguments(const Syntax& syntax) {
  for (const Option& option : syntax.options) {
    Value value;
    value.text = option.default_value;
    if (option.kind == Option::Kind::kNumber) {
      value.number = ParseNumber(option.default_value).value_or(0);
    }
    values_.emplace(option.name, std::move(value));
  }
}

absl::StatusOr<Arguments> Arguments::Parse(const Syntax& syntax,
                                           absl::Span<const std::string> words) {
  Arguments arguments(syntax);
  bool options_ended = false;
  while (!words.empty()) {
    const std::string& word = words.front();
    if (options_ended || word.size() < 2 || word[0] != '-') {
      arguments.positionals_.push_back(word);
    } else if (word == "--") {
      options_ended = true;
    } else if (word == "--help" || word == "-h") {
      arguments.help_ = true;
      return arguments;
    } else {
      EMDB_RETURN_IF_ERROR(arguments.ParseOption(syntax, &words));
    }
    words.remove_prefix(1);
  }
  EMDB_RETURN_IF_ERROR(CheckCount(syntax, arguments.positionals_));
  return arguments;
}

absl::Status Arguments::ParseOption(const Syntax& syntax, absl::Span<const std::string>* words) {
  const std::string_view word = words->front();
  const std::string_view body = word.substr(word.starts_with("--") ? 2 : 1);
  const size_t equals = body.find('=');
  const std::string_view name = body.substr(0, equals);
  const Option* option = word.starts_with("--") ? FindOption(syntax, name) : nullptr;
  if (option == nullptr) return UnknownOption(syntax, word, name);

  Value& value = values_.find(name)->second;
  value.given = true;
  if (option->kind == Option::Kind::kSwitch) {
    if (equals == std::string_view::npos) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("--", option->name, " takes no value"));
  }
  if (equals != std::string_view::npos) {
    value.text = body.substr(equals + 1);
  } else if (words->size() > 1) {
    words->remove_prefix(1);
    value.text = words->front();
  } else {
    return absl::InvalidArgumentError(absl::StrCat("--", option->name, " needs a value"));
  }
  EMDB_RETURN_IF_ERROR(CheckValue(*option, value.text));
  if (option->kind == Option::Kind::kNumber) value.number = *ParseNumber(value.text);
  return absl::OkStatus();
}

bool Arguments::IsOn(std::string_view name) const { return Find(name).given; }
bool Arguments::IsGiven(std::string_view name) const { return Find(name).given; }
const std::string& Arguments::Text(std::string_view name) const { return Find(name).text; }
uint64_t Arguments::Number(std::string_view name) const { return Find(name).number; }

const Arguments::Value& Arguments::Find(std::string_view name) const {
  const auto found = values_.find(name);
  EMDB_CHECK(found != values_.end());
  return found->second;
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

}  // namespace emdb::cli
