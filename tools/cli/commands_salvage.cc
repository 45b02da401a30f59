// salvage: what can still be read of a damaged store, as a new store.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kv/salvage.h"
#include "storage/env.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/progress.h"
#include "wal/wal.h"

namespace emdb::cli {
namespace {

std::string DescribeReport(const SalvageReport& report) {
  std::string text = absl::StrCat("copied: ", WithCommas(report.records), " records; read ",
                                  WithCommas(report.tree_records), " from the tree, ",
                                  WithCommas(report.log_batches), " batches from the log\n");
  if (report.stray_pages > 0) {
    absl::StrAppend(&text, "doubtful: ", WithCommas(report.stray_pages),
                    " leaves that nothing refers to any more; some of them may be of an older "
                    "state\n");
  }
  if (report.log_batches_behind_gap > 0) {
    absl::StrAppend(&text, "doubtful: ", WithCommas(report.log_batches_behind_gap),
                    " batches of the log stand behind missing ones\n");
  }
  for (const LostPiece& piece : report.lost) {
    absl::StrAppend(&text, "lost: ", piece.path, ", offset ", piece.offset, ": ", piece.what, "\n");
  }
  return text;
}

absl::StatusOr<bool> StoreOrLogExists(Env* env, const std::string& path) {
  EMDB_ASSIGN_OR_RETURN(const bool store_exists, env->Exists(path));
  return store_exists ? true : env->Exists(Wal::PathFor(path));
}

absl::Status RunSalvage(const CommandContext& context) {
  const std::string& destination = context.words[0];
  Env* const env = context.console.env;
  EMDB_ASSIGN_OR_RETURN(const bool was_there, StoreOrLogExists(env, destination));
  const absl::StatusOr<SalvageReport> report = Salvage(env, context.store_path, destination);
  if (!report.ok() && !was_there && StoreOrLogExists(env, destination).value_or(true)) {
    return absl::Status(
        report.status().code(),
        absl::StrCat(report.status().message(), "\n", destination,
                     " is incomplete: remove it and its log, ", Wal::PathFor(destination), "*"));
  }
  EMDB_RETURN_IF_ERROR(report.status());
  EMDB_RETURN_IF_ERROR(context.console.Write(DescribeReport(*report)));
  if (report->lost.empty()) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("salvage: ", report->lost.size(), " pieces of ",
                                         context.store_path, " are lost; ", destination,
                                         " has the rest"));
}

}  // namespace

std::vector<Command> SalvageCommands() {
  const Syntax salvage = {
      .name = "salvage",
      .summary = "Copy what is still readable of a damaged store into a new one",
      .details =
          "Reads the store file and its log past whatever is damaged, makes the store DEST of what "
          "it finds, verifies it, and prints one line for each piece that is lost: file, offset, "
          "and which keys or log records stood there. Keys of these pieces may be missing in DEST, "
          "have an older value, or be back although they were deleted. Never writes to STORE. Exit "
          "code 0 if all is there, 5 if some is lost, 4 if nothing can be read. After an error "
          "midway "
          "DEST is incomplete, and to be removed with its log.",
      .positionals = {{.name = "DEST",
                       .help = "the store to make; neither it nor its log may exist"}},
      .examples = {"emdb salvage damaged.emdb rescued.emdb"}};
  return {{.syntax = salvage, .store_use = StoreUse::kFiles, .in_shell = false, .run = RunSalvage}};
}

}  // namespace emdb::cli
