#include "tools/cli/cli.h"

#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kv/batch_format.h"
#include "pagestore/page_format.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/suggestion.h"
#include "wal/segment_format.h"

namespace emdb::cli {
namespace {

constexpr char kProgram[] = "emdb";

// In the order of the help.
std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (std::vector<Command> some :
       {RecordCommands(), RangeCommands(), TransferCommands(), StoreCommands(), InspectCommands(),
        SalvageCommands(), ShellCommands()}) {
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

std::string ProgramHelp(absl::Span<const Command> commands) {
  std::string text =
      "Usage: emdb COMMAND STORE [arguments]\n\n"
      "Looks into and changes an emdb store: the file STORE with its log STORE.v4.wal beside "
      "it.\n\n";
  for (const Command& command : commands) {
    absl::StrAppendFormat(&text, "  %-12s%s\n", command.syntax.name, command.syntax.summary);
  }
  absl::StrAppend(
      &text,
      "\n`emdb COMMAND --help` explains one of them; `emdb --version` prints the versions of the "
      "formats on\ndisk. Data goes to stdout; errors, notes and progress to stderr.\n\n",
      DescribeExitCodes());
  return text;
}

// What decides whether this program opens a store is its formats.
std::string VersionText() {
  return absl::StrCat("emdb, formats: log ", kLogFormatVersion, ", page store ", kFormatVersion,
                      ", write batch ", batch_format::kBatchVersion, "\n");
}

Syntax WithStore(Syntax syntax) {
  syntax.positionals.insert(syntax.positionals.begin(),
                            {.name = "STORE", .help = "the store file"});
  return syntax;
}

absl::Status RunCommand(const Command& command, absl::Span<const Command> commands,
                        absl::Span<const std::string> words, const Console& console) {
  const Syntax syntax = WithStore(command.syntax);
  absl::StatusOr<Arguments> arguments = Arguments::Parse(syntax, words);
  if (!arguments.ok()) {
    return absl::Status(
        arguments.status().code(),
        absl::StrCat(arguments.status().message(), "\nUsage: ", UsageLine(kProgram, syntax),
                     "\n`emdb ", syntax.name, " --help` explains it."));
  }
  if (arguments->help()) return console.Write(HelpText(kProgram, syntax));

  StoreHandle store(command.store_use, arguments->positionals().front(), console.env);
  const absl::Status status =
      Execute(command, {.arguments = *arguments,
                        .words = absl::MakeConstSpan(arguments->positionals()).subspan(1),
                        .console = console,
                        .store_path = store.path(),
                        .store = store,
                        .in_shell = false,
                        .commands = commands});
  const absl::Status closed = AsFileError(store.Close());
  return status.ok() ? closed : status;
}

absl::StatusOr<const Command*> FindCommand(absl::Span<const Command> commands,
                                           const std::string& name) {
  std::vector<std::string> known;
  for (const Command& command : commands) {
    if (command.syntax.name == name) return &command;
    known.push_back(command.syntax.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown command \"", name, "\"",
                                                 DidYouMean(name, known),
                                                 "\n`emdb --help` lists the commands."));
}

absl::Status Dispatch(absl::Span<const std::string> words, const Console& console) {
  const std::vector<Command> commands = AllCommands();
  if (words.empty()) {
    std::fputs(ProgramHelp(commands).c_str(), console.err);
    return absl::InvalidArgumentError("missing COMMAND");
  }
  const std::string& name = words.front();
  if (name == "--help" || name == "-h" || name == "help") {
    if (words.size() == 1) return console.Write(ProgramHelp(commands));
    EMDB_ASSIGN_OR_RETURN(const Command* const command, FindCommand(commands, words[1]));
    return console.Write(HelpText(kProgram, WithStore(command->syntax)));
  }
  if (name == "--version") return console.Write(VersionText());
  EMDB_ASSIGN_OR_RETURN(const Command* const command, FindCommand(commands, name));
  return RunCommand(*command, commands, words.subspan(1), console);
}

}  // namespace

ExitCode RunEmdb(absl::Span<const std::string> words, const Console& console) {
  absl::Status status = Dispatch(words, console);
  // Also after an error: what was found before it is still data.
  const absl::Status flushed = console.Flush();
  if (status.ok()) status = flushed;
  if (!status.ok() && !absl::IsCancelled(status)) {
    console.Note(FromAbsl(absl::StrCat("emdb: ", status.message())));
  }
  return ExitCodeFor(status);
}

}  // namespace emdb::cli
