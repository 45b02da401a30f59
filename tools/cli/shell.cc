// shell: commands on one open store, a line each.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/shell_words.h"
#include "tools/cli/suggestion.h"

namespace emdb::cli {
namespace {

bool IsOwnWord(std::string_view word) { return word == "help" || word == "quit" || word == "exit"; }

class Shell {
 public:
  explicit Shell(const CommandContext& context)
      : context_(context), lines_(context.console.in, "standard input") {}

  // Ends with the input, at `quit`, or, unless someone sits there, at the first error. A script
  // that was told to go on ends with the code of its first error.
  absl::Status Run();

 private:
  absl::Status RunLine(std::string_view line);
  absl::Status RunCommand(const Command& command, absl::Span<const std::string> words);
  absl::Status PrintHelp(absl::Span<const std::string> words);
  absl::StatusOr<const Command*> FindCommand(const std::string& name) const;
  // Whether the loop goes on after `status` of a line.
  bool CanGoOn(const absl::Status& status) const;
  // Shows the error of a line behind which it goes on, and keeps the first one of a script.
  void Pass(const absl::Status& status);

  const CommandContext& context_;
  LineReader lines_;
  bool quit_ = false;
  absl::Status first_error_;
  uint64_t first_line_ = 0;
  uint64_t failed_lines_ = 0;
};

absl::Status Shell::Run() {
  const Console& console = context_.console;
  const bool interactive = console.in_is_terminal;
  if (interactive) console.Note(context_.store_path + "; `help` lists the commands, `quit` ends");
  while (!quit_) {
    if (interactive) std::fputs("emdb> ", console.err);
    EMDB_ASSIGN_OR_RETURN(const bool found, lines_.Next());
    if (!found) break;
    absl::Status status = RunLine(lines_.line());
    if (status.ok()) status = console.Flush();
    if (status.ok()) continue;
    if (!CanGoOn(status)) {
      return interactive ? status : Annotate(status, absl::StrCat("line ", lines_.line_number()));
    }
    Pass(status);
  }
  if (first_error_.ok()) return absl::OkStatus();
  return absl::Status(first_error_.code(), absl::StrCat("lines that failed: ", failed_lines_,
                                                        ", the first of them line ", first_line_));
}

void Shell::Pass(const absl::Status& status) {
  context_.console.Note(FromAbsl(status.message()));
  if (context_.console.in_is_terminal || absl::IsNotFound(status)) return;
  ++failed_lines_;
  if (!first_error_.ok()) return;
  first_error_ = status;
  first_line_ = lines_.line_number();
}

bool Shell::CanGoOn(const absl::Status& status) const {
  if (absl::IsCancelled(status)) return false;
  // A key that is not there is an answer, also to a script.
  return context_.console.in_is_terminal || absl::IsNotFound(status) ||
         context_.arguments.IsOn("keep-going");
}

absl::Status Shell::RunLine(std::string_view line) {
  EMDB_ASSIGN_OR_RETURN(const std::vector<std::string> words, SplitWords(line));
  if (words.empty()) return absl::OkStatus();
  const absl::Span<const std::string> rest = absl::MakeConstSpan(words).subspan(1);
  if (words[0] == "quit" || words[0] == "exit") {
    quit_ = true;
    return absl::OkStatus();
  }
  if (words[0] == "help") return PrintHelp(rest);
  EMDB_ASSIGN_OR_RETURN(const Command* const command, FindCommand(words[0]));
  return RunCommand(*command, rest);
}

absl::Status Shell::RunCommand(const Command& command, absl::Span<const std::string> words) {
  EMDB_ASSIGN_OR_RETURN(const Arguments arguments, Arguments::Parse(command.syntax, words));
  if (arguments.help()) return context_.console.Write(HelpText("", command.syntax));
  return Execute(command, {.arguments = arguments,
                           .words = arguments.positionals(),
                           .console = context_.console,
                           .store_path = context_.store_path,
                           .store = context_.store,
                           .in_shell = true,
                           .commands = context_.commands});
}

absl::Status Shell::PrintHelp(absl::Span<const std::string> words) {
  // The shell's own words have no more to them than their lines in the list.
  if (!words.empty() && !IsOwnWord(words[0])) {
    EMDB_ASSIGN_OR_RETURN(const Command* const command, FindCommand(words[0]));
    return context_.console.Write(HelpText("", command->syntax));
  }
  std::string text;
  for (const Command& command : context_.commands) {
    if (!command.in_shell) continue;
    absl::StrAppendFormat(&text, "  %-12s%s\n", command.syntax.name, command.syntax.summary);
  }
  absl::StrAppend(&text, "  help        This list; `help COMMAND` for one of them\n",
                  "  quit        Leave, as does `exit`\n");
  return context_.console.Write(text);
}

absl::StatusOr<const Command*> Shell::FindCommand(const std::string& name) const {
  std::vector<std::string> known = {"help", "quit"};
  for (const Command& command : context_.commands) {
    if (command.in_shell) known.push_back(command.syntax.name);
    if (command.syntax.name != name) continue;
    if (command.in_shell) return &command;
    // Not beside the shell, which has the store locked.
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is not for the shell: leave it and run \"emdb ", name, " STORE\""));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown command \"", name, "\"", DidYouMean(name, known), "; try `help`"));
}

absl::Status RunShell(const CommandContext& context) {
  if (context.arguments.IsOn("create")) context.store.MakeIfMissing();
  // Not at the first command that needs it: nobody else writes while the shell is there.
  EMDB_RETURN_IF_ERROR(context.store.Open().status());
  return Shell(context).Run();
}

}  // namespace

std::vector<Command> ShellCommands() {
  const Syntax syntax = {
      .name = "shell",
      .summary = "Run commands on one open store, a line each",
      .details =
          "The commands are those of emdb, without STORE, but for wal-dump, page-dump, salvage and "
          "shell; `help` lists them. Quote words that contain spaces. "
          "Without a terminal it is a script: it ends at the first error, with that error's exit "
          "code. A key that is not there is no error.",
      .options = {{.name = "create", .help = "make the store if it is missing"},
                  {.name = "keep-going",
                   .help = "go on after errors, also in a script, and end with the exit code of "
                           "the first"}},
      .examples = {"emdb shell app.emdb",
                   "echo \"put greeting 'good morning'\" | emdb shell app.emdb --create"}};
  return {{.syntax = syntax, .store_use = StoreUse::kWrite, .in_shell = false, .run = RunShell}};
}

}  // namespace emdb::cli
