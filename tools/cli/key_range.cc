#include "tools/cli/key_range.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb::cli {
namespace {

Option FormatOption(std::string name, std::string default_value, std::string help) {
  return {.name = std::move(name),
          .kind = Option::Kind::kChoice,
          .default_value = std::move(default_value),
          .choices = {"text", "hex", "base64"},
          .help = std::move(help)};
}

// The key given for option `name`, empty if it is not given. A key that was given must not be
// empty.
absl::StatusOr<std::string> KeyOption(const Arguments& arguments, std::string_view name,
                                      ByteFormat format) {
  if (!arguments.IsGiven(name)) return std::string();
  absl::StatusOr<std::string> key = ParseBytes(format, arguments.Text(name));
  const std::string option = absl::StrCat("--", ToAbsl(name));
  if (!key.ok()) return Annotate(key.status(), option);
  if (key->empty()) {
    return absl::InvalidArgumentError(option + " expects a key of at least one byte, found none");
  }
  return key;
}

}  // namespace

std::vector<Option> FormatOptions(bool both) {
  if (!both) {
    return {FormatOption("key-format", "text", "how keys are written"),
            FormatOption("value-format", "text", "how values are written")};
  }
  return {FormatOption("format", "text",
                       "how keys and values are written; text is UTF-8 with the escapes "
                       "\\\\ \\n \\r \\t \\0 \\xHH"),
          FormatOption("key-format", "", "the same for keys alone"),
          FormatOption("value-format", "", "the same for values alone")};
}

RecordFormat RecordFormatFrom(const Arguments& arguments, bool both) {
  const auto choose = [&](std::string_view name) {
    const bool use_common = both && !arguments.IsGiven(name);
    return ByteFormatFromName(arguments.Text(use_common ? "format" : name));
  };
  return {.key = choose("key-format"), .value = choose("value-format")};
}

std::vector<Option> RangeOptions() {
  return {{.name = "prefix",
           .kind = Option::Kind::kText,
           .value_name = "KEY",
           .help = "only keys that start with this"},
          {.name = "from",
           .kind = Option::Kind::kText,
           .value_name = "KEY",
           .help = "only keys from this one on"},
          {.name = "to",
           .kind = Option::Kind::kText,
           .value_name = "KEY",
           .help = "only keys before this one"}};
}

absl::StatusOr<KeyRange> KeyRangeFrom(const Arguments& arguments, ByteFormat key_format) {
  EMDB_ASSIGN_OR_RETURN(const std::string prefix, KeyOption(arguments, "prefix", key_format));
  EMDB_ASSIGN_OR_RETURN(const std::string from, KeyOption(arguments, "from", key_format));
  EMDB_ASSIGN_OR_RETURN(const std::string to, KeyOption(arguments, "to", key_format));
  KeyRange range;
  range.lower = std::max(prefix, from);
  range.upper = PrefixEnd(prefix);
  if (range.upper.empty() || (!to.empty() && to < range.upper)) range.upper = to;
  return range;
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

absl::Status ForEachRecord(const Db& db, const Walk& walk,
                           absl::FunctionRef<absl::Status(const Iterator& at)> visit) {
  if (walk.range.is_empty()) return absl::OkStatus();
  const std::unique_ptr<Iterator> it =
      db.NewIterator({.lower_bound = walk.range.lower, .upper_bound = walk.range.upper});
  uint64_t left = walk.limit;
  walk.reverse ? it->SeekToLast() : it->SeekToFirst();
  while (left > 0 && it->Valid()) {
    EMDB_RETURN_IF_ERROR(visit(*it));
    --left;
    walk.reverse ? it->Prev() : it->Next();
  }
  return it->status();
}

}  // namespace emdb::cli
