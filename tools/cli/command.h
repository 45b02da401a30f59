// Command: a sub-command of emdb, declared by its Syntax and the access to the store it needs, and
// a function.

#ifndef EMDB_TOOLS_CLI_COMMAND_H_
#define EMDB_TOOLS_CLI_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/cli/arguments.h"
#include "tools/cli/console.h"
#include "tools/cli/store_handle.h"
#include "tools/cli/syntax.h"

namespace emdb::cli {

struct Command;

struct CommandContext {
  const Arguments& arguments;
  absl::Span<const std::string> words;  // the positional arguments behind STORE
  const Console& console;
  const std::string& store_path;
  StoreHandle& store;                  // opened when nothing else can be wrong
  bool in_shell;                       // then standard input is where commands come from
  absl::Span<const Command> commands;  // all there are
};

struct Command {
  // Without STORE, which all commands but those of the shell take first.
  Syntax syntax;
  StoreUse store_use;
  bool in_shell = true;  // it can be used there
  absl::Status (*run)(const CommandContext& context);
  // NotFound of `run` says that a key is not there. That of all others is of a file.
  bool looks_keys_up = false;
};

// Runs it. NotFound is returned only for a key that was looked up.
absl::Status Execute(const Command& command, const CommandContext& context);

// NotFound, which to a script would be a key, made FailedPrecondition with the same text.
absl::Status AsFileError(const absl::Status& status);

// The declarations of the commands, a file each.
std::vector<Command> RecordCommands();    // get put delete
std::vector<Command> RangeCommands();     // scan count
std::vector<Command> TransferCommands();  // load dump
std::vector<Command> StoreCommands();     // stats verify checkpoint compact
std::vector<Command> InspectCommands();   // wal-dump page-dump
std::vector<Command> SalvageCommands();   // salvage
std::vector<Command> ShellCommands();     // shell

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_COMMAND_H_
