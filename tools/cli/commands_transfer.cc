// load, dump: many records in and out as text.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/key_range.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/mdb_dump.h"
#include "tools/cli/progress.h"
#include "tools/cli/record_loader.h"
#include "tools/cli/tab_separated.h"
#include "tools/owned_file.h"

namespace emdb::cli {
namespace {

absl::StatusOr<OwnedFile> OpenInput(const std::string& path) {
  OwnedFile file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return IoError(errno, "open", path);
  return file;
}

// In bytes; 0 for what has no size, such as a pipe.
uint64_t InputSize(std::FILE* file) {
  struct stat info;
  const bool known = ::fstat(::fileno(file), &info) == 0 && S_ISREG(info.st_mode);
  return known ? static_cast<uint64_t>(info.st_size) : 0;
}

absl::StatusOr<std::unique_ptr<RecordReader>> MakeReader(const Arguments& arguments,
                                                         LineReader* lines) {
  std::string format = arguments.Text("format");
  if (format == "auto") {
    EMDB_ASSIGN_OR_RETURN(const bool found, lines->Next());
    // What a program that failed has written into a pipe.
    if (!found) {
      return absl::InvalidArgumentError(absl::StrCat(
          lines->name(), " is empty, expected records; --format=tsv takes it as none"));
    }
    lines->PutBack();
    format = MdbDumpReader::IsFirstLine(lines->line()) ? "mdb_dump" : "tsv";
  }
  if (format == "mdb_dump") return std::make_unique<MdbDumpReader>(lines);
  return std::make_unique<TabSeparatedReader>(lines, RecordFormatFrom(arguments, /*both=*/false));
}

// What a load reads from.
struct Input {
  std::FILE* file;
  LineReader* lines;
  RecordReader* reader;
};

// From *record on, if it was found.
absl::Status LoadAll(const CommandContext& context, const Input& input, bool found, Record* record,
                     RecordLoader* loader) {
  const uint64_t total = InputSize(input.file);
  Progress progress(&context.console, {.label = "load",
                                       .unit = total > 0 ? "bytes" : "records",
                                       .quiet = context.arguments.IsOn("quiet")});
  while (found) {
    const absl::Status added = loader->Add(*record);
    // What is wrong with a record is wrong with a line of the input.
    if (absl::IsInvalidArgument(added)) return input.lines->Error(FromAbsl(added.message()));
    EMDB_RETURN_IF_ERROR(added);
    progress.Update(total > 0 ? input.lines->bytes() : loader->written(), total);
    EMDB_ASSIGN_OR_RETURN(found, input.reader->Next(record));
  }
  return loader->Finish();
}

absl::Status LoadFrom(const CommandContext& context, const Input& input) {
  const Arguments& arguments = context.arguments;
  const uint64_t start_nanos = context.console.env->NowNanos();
  // The first record before the store: input that is no dump at all makes none.
  Record record;
  EMDB_ASSIGN_OR_RETURN(const bool found, input.reader->Next(&record));
  EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
  RecordLoader loader(db,
                      {.batch_records = arguments.Number("batch"), .sync = arguments.IsOn("sync")});
  const absl::Status status = LoadAll(context, input, found, &record, &loader);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(status.message(), " (", WithCommas(loader.written()),
                                     " records in front of it are in the store)"));
  }
  if (arguments.IsOn("quiet")) return absl::OkStatus();
  const double seconds = static_cast<double>(context.console.env->NowNanos() - start_nanos) * 1e-9;
  context.console.Note(FromAbsl(
      absl::StrFormat("loaded %s records in %.2f s", WithCommas(loader.written()), seconds)));
  return absl::OkStatus();
}

absl::Status RunLoad(const CommandContext& context) {
  const bool from_file = !context.words.empty() && context.words[0] != "-";
  if (!from_file && context.in_shell) {
    return absl::InvalidArgumentError("missing FILE: the shell reads its commands from stdin");
  }
  if (context.arguments.Number("batch") == 0) {
    return absl::InvalidArgumentError("--batch expects a number of at least 1, found 0");
  }
  OwnedFile file;
  if (from_file) {
    EMDB_ASSIGN_OR_RETURN(file, OpenInput(context.words[0]));
  }
  std::FILE* const in = from_file ? file.get() : context.console.in;
  LineReader lines(in, from_file ? context.words[0] : "standard input");
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                        MakeReader(context.arguments, &lines));
  absl::Status status = LoadFrom(context, {.file = in, .lines = &lines, .reader = reader.get()});
  if (!reader->note().empty()) context.console.Note("note: " + std::string(reader->note()));
  return status;
}

// An upper bound for LMDB, which fills its pages to a third at worst, those above the leaves
// counted. Our files hold values at their full size, but keys without the prefixes that they share:
// each counts as the longest that LMDB takes. Unused map costs nothing.
uint64_t MapSize(const Stats& stats) {
  constexpr uint64_t kSmallest = uint64_t{64} << 20;
  constexpr uint64_t kKeyBytes = 511 + 8;  // with the header of its node
  const PageStoreStats& pages = stats.page_store;
  const uint64_t records = pages.records + pages.slice_records + stats.memtable_records;
  const uint64_t bytes =
      pages.file_pages * pages.page_size_bytes + stats.memtable_bytes + records * kKeyBytes;
  return std::max(kSmallest, bytes * 4 / 4096 * 4096);
}

absl::Status RunDump(const CommandContext& context) {
  const Arguments& arguments = context.arguments;
  const RecordFormat record_format = RecordFormatFrom(arguments, /*both=*/false);
  const std::string& format = arguments.Text("format");
  Walk walk;
  EMDB_ASSIGN_OR_RETURN(walk.range, KeyRangeFrom(arguments, record_format.key));
  EMDB_ASSIGN_OR_RETURN(const Db* const db, context.store.Open());
  const Stats stats = db->GetStats();

  std::unique_ptr<RecordWriter> writer;
  if (format == "tsv") {
    writer = std::make_unique<TabSeparatedWriter>(&context.console, record_format);
  } else {
    const MdbDumpOptions options = {.print = arguments.IsOn("print"),
                                    .mapsize_bytes = format == "mdb_dump" ? MapSize(stats) : 0};
    writer = std::make_unique<MdbDumpWriter>(&context.console, options);
  }

  // A bar would be torn apart by data on the same terminal.
  const bool quiet = arguments.IsOn("quiet") || context.console.out_is_terminal;
  Progress progress(&context.console, {.label = "dump", .unit = "records", .quiet = quiet});
  const bool whole = walk.range.lower.empty() && walk.range.upper.empty();
  uint64_t done = 0;
  EMDB_RETURN_IF_ERROR(writer->Begin());
  EMDB_RETURN_IF_ERROR(ForEachRecord(*db, walk, [&](const Iterator& at) {
    progress.Update(++done, whole ? std::max(done, stats.estimated_records) : 0);
    return writer->Write(at.key(), at.value());
  }));
  return writer->End();
}

Syntax LoadSyntax() {
  Syntax load = {
      .name = "load",
      .summary = "Read records from text and store them",
      .details =
          "Keys that are there already get the new value. On exit code 0 all records are durable; "
          "if it ends early, those in front of some line are there. The store is made if it is "
          "missing. Dump LMDB databases without -p: mdb_dump -p leaves backslashes as they are, so "
          "that \\de may be one byte or three.",
      .positionals = {{.name = "FILE",
                       .help = "what to read; standard input if it is - or missing",
                       .count = Positional::Count::kOptional}},
      .options =
          {{.name = "format",
            .kind = Option::Kind::kChoice,
            .default_value = "auto",
            .choices = {"auto", "mdb_dump", "tsv"},
            .help =
                "mdb_dump is what `emdb dump`, mdb_dump and db_dump write; tsv a key, a "
                "tab and a value a line; auto looks at the first line, and takes no empty input"},
           {.name = "batch",
            .kind = Option::Kind::kNumber,
            .value_name = "N",
            .default_value = "1000",
            .help = "records that are written as one: all or none after a crash"},
           {.name = "sync", .help = "wait for each batch to be durable, not only for the last"}},
      .examples = {"mdb_dump -n other.mdb | emdb load app.emdb", "emdb load app.emdb users.tsv"}};
  for (Option& option : FormatOptions(/*both=*/false)) {
    option.help += " in tsv";
    load.options.push_back(std::move(option));
  }
  load.options.push_back({.name = "quiet", .help = "no progress on stderr"});
  return load;
}

Syntax DumpSyntax() {
  Syntax dump = {
      .name = "dump",
      .summary = "Print records as text for `load` and mdb_load; --format=db_dump for db_load",
      .details = "It shows one moment, whatever is written meanwhile.",
      .options =
          {{.name = "format",
            .kind = Option::Kind::kChoice,
            .default_value = "mdb_dump",
            .choices = {"mdb_dump", "db_dump", "tsv"},
            .help = "mdb_dump is for mdb_load (whose keys end at 511 bytes), db_dump the "
                    "same without LMDB's mapsize for db_load; tsv a key, a tab and a value a line"},
           {.name = "print",
            .help = "printable characters as they are in mdb_dump and db_dump, not hex"}},
      .examples = {"emdb dump app.emdb > app.dump", "emdb dump app.emdb | mdb_load -n other.mdb",
                   "emdb dump app.emdb --format=db_dump | db_load other.db",
                   "emdb dump app.emdb --format=tsv --prefix=user:"}};
  for (const Option& option : RangeOptions()) dump.options.push_back(option);
  for (const Option& option : FormatOptions(/*both=*/false)) dump.options.push_back(option);
  dump.options.push_back({.name = "quiet", .help = "no progress on stderr"});
  return dump;
}

}  // namespace

std::vector<Command> TransferCommands() {
  return {{.syntax = LoadSyntax(), .store_use = StoreUse::kCreate, .run = RunLoad},
          {.syntax = DumpSyntax(), .store_use = StoreUse::kRead, .run = RunDump}};
}

}  // namespace emdb::cli
