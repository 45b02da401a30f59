// wal-dump, page-dump: what is in the files.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kv/split_batch.h"
#include "storage/status.h"
#include "storage/store_id.h"
#include "tools/cli/byte_format.h"
#include "tools/cli/command.h"
#include "tools/cli/key_range.h"
#include "tools/cli/progress.h"
#include "tools/cli/store_files.h"

namespace emdb::cli {
namespace {

// Page numbers are given one by one or as FIRST-LAST.
struct PageRange {
  uint64_t first = 0;
  uint64_t last = 0;
};

std::string DescribeRecovery(const Wal& log) {
  const WalRecovery& found = log.recovery();
  return absl::StrCat("# log        ", ToAbsl(log.path()), "\n", "# store id   ",
                      StoreIdToString(log.store_id()), "\n", "# records    ",
                      WithCommas(found.records), ", seq ", log.first_seq(), " to before ",
                      log.next_seq(), ", in ", found.segments, " segments; ",
                      WithCommas(found.records_from_buffer), " of them in the append buffer only\n",
                      "# recovery   ", found.was_clean ? "closed cleanly" : "not closed cleanly",
                      ", torn tail of ", found.bytes_cut, " bytes\n");
}

// One line an operation: seq, operation, key, value.
class LogPrinter {
 public:
  LogPrinter(const CommandContext& context, RecordFormat format)
      : console_(context.console),
        format_(format),
        value_bytes_(context.arguments.Number("value-bytes")) {}

  // All records, one after another, from log.first_seq() or from the one in front of the first that
  // is printed: that may be the first part of its batch.
  absl::Status Add(uint64_t seq, std::string_view record, bool is_printed) {
    const absl::StatusOr<std::optional<JoinedBatch>> batch = joiner_.Add(seq, record);
    const bool is_first = !std::exchange(any_added_, true);
    if (!is_printed) return absl::OkStatus();
    // What is in front of it may be in the store file, and in the log no more.
    if (!batch.ok() && is_first) return console_.Write(absl::StrCat(seq, "\tsecond part\n"));
    if (batch.ok() && !batch->has_value()) {
      return console_.Write(absl::StrCat(seq, "\tfirst part\n"));
    }
    const absl::Status printed = batch.ok() ? Print(seq, (*batch)->bytes) : batch.status();
    return absl::IsDataLoss(printed) ? Annotate(printed, absl::StrCat("log record ", seq))
                                     : printed;
  }

 private:
  absl::Status Print(uint64_t seq, std::string_view batch) {
    lines_.clear();
    size_t operations = 0;
    EMDB_RETURN_IF_ERROR(WriteBatch::ForEach(
        batch, [&](WriteBatch::Kind kind, std::string_view key, std::string_view value) {
          AppendOperation(seq, kind, key, value);
          ++operations;
        }));
    if (operations == 0) lines_ = absl::StrCat(seq, "\tempty\n");
    return console_.Write(lines_);
  }

  void AppendOperation(uint64_t seq, WriteBatch::Kind kind, std::string_view key,
                       std::string_view value) {
    const bool is_put = kind == WriteBatch::Kind::kPut;
    absl::StrAppend(&lines_, seq, is_put ? "\tput\t" : "\tdelete\t");
    AppendFormatted(format_.key, key, &lines_);
    if (is_put) {
      lines_.push_back('\t');
      AppendFormatted(format_.value, value.substr(0, value_bytes_), &lines_);
      if (value.size() > value_bytes_) absl::StrAppend(&lines_, "... (", value.size(), " bytes)");
    }
    lines_.push_back('\n');
  }

  const Console& console_;
  const RecordFormat format_;
  const uint64_t value_bytes_;
  BatchJoiner joiner_;
  bool any_added_ = false;
  std::string lines_;
};

absl::Status RunWalDump(const CommandContext& context) {
  const Arguments& arguments = context.arguments;
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                        LockForReading(context.console.env, context.store_path));
  EMDB_ASSIGN_OR_RETURN(
      const std::unique_ptr<Wal> log,
      OpenLog(context.console.env, Wal::PathFor(context.store_path), std::nullopt));
  EMDB_RETURN_IF_ERROR(context.console.Write(DescribeRecovery(*log)));
  if (arguments.IsOn("summary")) return absl::OkStatus();

  const uint64_t first = std::max(arguments.Number("from"), log->first_seq());
  const uint64_t limit = arguments.IsGiven("limit") ? arguments.Number("limit") : UINT64_MAX;
  if (first >= log->next_seq() || limit == 0) return absl::OkStatus();
  LogPrinter printer(context, RecordFormatFrom(arguments, /*both=*/true));
  uint64_t printed = 0;
  const uint64_t replayed_from = first == log->first_seq() ? first : first - 1;
  const absl::Status status =
      log->Replay(replayed_from, [&](uint64_t seq, std::string_view record) {
        if (printed == limit) return absl::OutOfRangeError("the limit");
        printed += seq >= first ? 1 : 0;
        return printer.Add(seq, record, /*is_printed=*/seq >= first);
      });
  // Its only way to end early.
  return printed == limit && absl::IsOutOfRange(status) ? absl::OkStatus() : status;
}

absl::StatusOr<PageRange> ParsePageRange(std::string_view word) {
  const size_t dash = word.find('-');
  const std::optional<uint64_t> first = ParseNumber(word.substr(0, dash));
  const std::optional<uint64_t> last =
      dash == std::string_view::npos ? first : ParseNumber(word.substr(dash + 1));
  if (!first.has_value() || !last.has_value() || *first > *last) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a page number or FIRST-LAST, found \"", ToAbsl(word), "\""));
  }
  return PageRange{.first = *first, .last = *last};
}

absl::Status RunPageDump(const CommandContext& context) {
  std::vector<PageRange> ranges;
  for (const std::string& word : context.words) {
    EMDB_ASSIGN_OR_RETURN(ranges.emplace_back(), ParsePageRange(word));
  }
  if (ranges.empty()) ranges.push_back({.first = 0, .last = 1});

  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                        LockForReading(context.console.env, context.store_path));
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<PageStore> pages,
                        OpenPages(context.console.env, context.store_path));
  const uint64_t page_count = pages->stats().file_pages;
  absl::Status first_damage;
  for (const PageRange& range : ranges) {
    if (range.last >= page_count) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no page ", range.last, ": expected 0 to ", page_count - 1));
    }
    for (uint64_t id = range.first; id <= range.last; ++id) {
      absl::StatusOr<std::string> text = pages->DescribePage(id);
      // A damaged page is what one is here to see: show it, go on, and say so at the end.
      if (!text.ok() && !absl::IsDataLoss(text.status())) return text.status();
      if (!text.ok() && first_damage.ok()) first_damage = text.status();
      std::string shown = text.ok() ? *text : absl::StrCat("DAMAGED: ", text.status().message());
      if (!shown.ends_with('\n')) shown.push_back('\n');
      EMDB_RETURN_IF_ERROR(context.console.Write(absl::StrCat("page ", id, "\n", shown, "\n")));
    }
  }
  return first_damage;
}

Syntax WalDumpSyntax() {
  Syntax syntax = {
      .name = "wal-dump",
      .summary = "Show the records of the log and what recovery finds in it",
      .details =
          "Lines that start with # describe the log. Then one line an operation: sequence number, "
          "put or "
          "delete, key, value, separated by tabs; operations with the same number are one batch. "
          "A batch that is too large for a record stands in two, of which the first is shown as "
          "\"first part\". Changes nothing.",
      .options = FormatOptions(/*both=*/true),
      .examples = {"emdb wal-dump app.emdb --summary",
                   "emdb wal-dump app.emdb --from=1000 --limit=20"}};
  syntax.options.push_back({.name = "from",
                            .kind = Option::Kind::kNumber,
                            .value_name = "SEQ",
                            .default_value = "0",
                            .help = "only records from this sequence number on"});
  syntax.options.push_back({.name = "limit",
                            .kind = Option::Kind::kNumber,
                            .value_name = "N",
                            .help = "at most this many records"});
  syntax.options.push_back({.name = "value-bytes",
                            .kind = Option::Kind::kNumber,
                            .value_name = "N",
                            .default_value = "64",
                            .help = "of longer values only the first N bytes"});
  syntax.options.push_back({.name = "summary", .help = "no records"});
  return syntax;
}

}  // namespace

std::vector<Command> InspectCommands() {
  const Syntax page_dump = {
      .name = "page-dump",
      .summary = "Describe pages of the store file",
      .details =
          "Without numbers, the two header slots. Changes nothing. Exit code 4 if one of the pages "
          "is damaged. A page of which not even the header is left looks like part of a large "
          "value; `emdb verify` finds it. A store whose headers cannot be read is not shown; the "
          "error says what is wrong with them.",
      .positionals = {{.name = "PAGE",
                       .help = "a page number, or FIRST-LAST",
                       .count = Positional::Count::kAny}},
      .examples = {"emdb page-dump app.emdb", "emdb page-dump app.emdb 2-5 9"}};
  return {
      {.syntax = WalDumpSyntax(),
       .store_use = StoreUse::kFiles,
       .in_shell = false,
       .run = RunWalDump},
      {.syntax = page_dump, .store_use = StoreUse::kFiles, .in_shell = false, .run = RunPageDump}};
}

}  // namespace emdb::cli
