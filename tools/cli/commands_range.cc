// scan, count: records in key order.

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/key_range.h"
#include "tools/cli/progress.h"
#include "tools/cli/tab_separated.h"

namespace emdb::cli {
namespace {

std::vector<Option> Joined(std::vector<Option> first, const std::vector<Option>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

absl::Status RunScan(const CommandContext& context) {
  const RecordFormat format = RecordFormatFrom(context.arguments, /*both=*/true);
  Walk walk;
  EMDB_ASSIGN_OR_RETURN(walk.range, KeyRangeFrom(context.arguments, format.key));
  walk.reverse = context.arguments.IsOn("reverse");
  if (context.arguments.IsGiven("limit")) walk.limit = context.arguments.Number("limit");
  const bool keys_only = context.arguments.IsOn("keys-only");
  EMDB_ASSIGN_OR_RETURN(const Db* const db, context.store.Open());
  TabSeparatedWriter writer(&context.console, format, keys_only);
  EMDB_RETURN_IF_ERROR(writer.Begin());
  EMDB_RETURN_IF_ERROR(ForEachRecord(*db, walk, [&](const Iterator& at) {
    // A value that is not shown is not read either.
    return writer.Write(at.key(), keys_only ? std::string_view() : at.value());
  }));
  return writer.End();
}

absl::Status RunCount(const CommandContext& context) {
  const RecordFormat format = RecordFormatFrom(context.arguments, /*both=*/true);
  Walk walk;
  EMDB_ASSIGN_OR_RETURN(walk.range, KeyRangeFrom(context.arguments, format.key));
  EMDB_ASSIGN_OR_RETURN(const Db* const db, context.store.Open());
  uint64_t count = 0;
  {
    Progress progress(
        &context.console,
        {.label = "count", .unit = "records", .quiet = context.arguments.IsOn("quiet")});
    EMDB_RETURN_IF_ERROR(ForEachRecord(*db, walk, [&](const Iterator&) {
      progress.Update(++count, /*total=*/0);
      return absl::OkStatus();
    }));
  }
  return context.console.Write(absl::StrCat(count, "\n"));
}

}  // namespace

std::vector<Command> RangeCommands() {
  Syntax scan = {
      .name = "scan",
      .summary = "Print records in key order",
      .details = "One line a record: the key, a tab, the value. Keys are ordered bytewise.",
      .options = Joined(RangeOptions(), FormatOptions(/*both=*/true)),
      .examples = {"emdb scan app.emdb --prefix=user: --limit=10",
                   "emdb scan app.emdb --from=a --to=b --reverse --keys-only"}};
  scan.options.push_back({.name = "limit",
                          .kind = Option::Kind::kNumber,
                          .value_name = "N",
                          .help = "at most this many records"});
  scan.options.push_back({.name = "reverse", .help = "from the last key to the first"});
  scan.options.push_back({.name = "keys-only", .help = "without the values"});

  Syntax count = {.name = "count",
                  .summary = "Count records, exactly",
                  .details = "Reads the keys; `stats` has an estimate at no cost.",
                  .options = Joined(RangeOptions(), FormatOptions(/*both=*/true)),
                  .examples = {"emdb count app.emdb", "emdb count app.emdb --prefix=user:"}};
  count.options.push_back({.name = "quiet", .help = "no progress on stderr"});

  return {{.syntax = std::move(scan), .store_use = StoreUse::kRead, .run = RunScan},
          {.syntax = std::move(count), .store_use = StoreUse::kRead, .run = RunCount}};
}

}  // namespace emdb::cli
