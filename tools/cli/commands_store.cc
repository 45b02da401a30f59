// stats, verify, checkpoint, compact: the store as a whole.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/cli/command.h"
#include "tools/cli/progress.h"
#include "tools/cli/stats_json.h"
#include "tools/cli/store_verifier.h"

namespace emdb::cli {
namespace {

absl::Status RunStats(const CommandContext& context) {
  EMDB_ASSIGN_OR_RETURN(const Db* const db, context.store.Open());
  const Stats stats = db->GetStats();
  if (context.arguments.IsOn("json")) return context.console.Write(StatsToJson(stats) + "\n");
  std::string text = stats.ToString();
  if (!text.ends_with('\n')) text.push_back('\n');
  return context.console.Write(text);
}

std::string RecordsOf(const PageStoreStats& pages) {
  std::string text = WithCommas(pages.records) + " records";
  if (pages.slice_records > 0) {
    absl::StrAppend(&text, " and ", WithCommas(pages.slice_records), " changes in slices");
  }
  return text;
}

std::string PagesVerified(const PageStoreStats& pages) {
  return absl::StrCat("pages: ok, ", RecordsOf(pages), " in ", WithCommas(pages.live_pages),
                      " pages of ", pages.page_size_bytes, " bytes, ", WithCommas(pages.free_pages),
                      " pages free, generation ", pages.generation, ", next_seq ", pages.next_seq,
                      "\n");
}

std::string LogVerified(const VerifyReport& report) {
  std::string line = absl::StrCat("log:   ok, ", WithCommas(report.log_records), " records with ",
                                  WithCommas(report.log_operations), " operations, seq ",
                                  report.log_first_seq, " to before ", report.log_next_seq);
  if (report.log_bytes_cut > 0) {
    absl::StrAppend(&line, ", a torn tail of ", ByteSize(report.log_bytes_cut),
                    " that was never durable");
  }
  return line + "\n";
}

// Damage is the code of both, if it is that of one; else the code is the first one's.
absl::Status BothOf(const absl::Status& first, const absl::Status& second) {
  if (first.ok() || second.ok()) return first.ok() ? second : first;
  const absl::StatusCode code = absl::IsDataLoss(second) ? second.code() : first.code();
  return absl::Status(code, absl::StrCat(first.message(), "\nand ", second.message()));
}

// Returns what `verify` does. The progress bar that it gets is erased by then, so that no result
// stands behind it on its line.
template <typename Verify>
auto WithProgress(const CommandContext& context, const Verify& verify) {
  const auto quiet = context.arguments.IsOn("quiet");
  Progress progress(&context.console, {.label = "verify", .unit = "pages", .quiet = quiet});
  return verify([&progress](uint64_t done, uint64_t total) { progress.Update(done, total); });
}

absl::Status RunVerify(const CommandContext& context) {
  if (context.in_shell) {
    EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
    EMDB_RETURN_IF_ERROR(
        WithProgress(context, [db](const auto& progress) { return db->Verify(progress); }));
    return context.console.Write(PagesVerified(db->GetStats().page_store));
  }
  EMDB_ASSIGN_OR_RETURN(const VerifyReport report,
                        WithProgress(context, [&context](const auto& progress) {
                          return VerifyStore(context.console.env, context.store_path, progress);
                        }));
  if (report.pages_status.ok()) {
    EMDB_RETURN_IF_ERROR(context.console.Write(PagesVerified(report.pages)));
  }
  if (report.log_status.ok()) EMDB_RETURN_IF_ERROR(context.console.Write(LogVerified(report)));
  return BothOf(report.pages_status, report.log_status);
}

absl::Status RunCheckpoint(const CommandContext& context) {
  EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
  EMDB_RETURN_IF_ERROR(db->Checkpoint());
  const PageStoreStats pages = db->GetStats().page_store;
  context.console.Note(
      FromAbsl(absl::StrCat("checkpoint: generation ", pages.generation, ", next_seq ",
                            pages.next_seq, ", ", RecordsOf(pages))));
  return absl::OkStatus();
}

absl::Status RunCompact(const CommandContext& context) {
  EMDB_ASSIGN_OR_RETURN(Db* const db, context.store.Open());
  const auto file_bytes = [db] {
    const PageStoreStats pages = db->GetStats().page_store;
    return pages.file_pages * pages.page_size_bytes;
  };
  EMDB_RETURN_IF_ERROR(db->Checkpoint());
  const uint64_t bytes_before = file_bytes();
  EMDB_RETURN_IF_ERROR(db->Compact());
  context.console.Note(FromAbsl(absl::StrCat("compact: ", ByteSize(bytes_before), " before, ",
                                             ByteSize(file_bytes()), " now")));
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> StoreCommands() {
  const Syntax stats = {
      .name = "stats",
      .summary = "Print what the store holds and what opening it found",
      .details = "Counters start when a store is opened: those of a running program are its own.",
      .options = {{.name = "json", .help = "one JSON object, for programs"}},
      .examples = {"emdb stats app.emdb", "emdb stats app.emdb --json | python3 -m json.tool"}};
  const Syntax verify = {
      .name = "verify",
      .summary = "Read everything and check it",
      .details =
          "Every page: checksum, identity, order of keys, reachable once or free. Every log "
          "record: "
          "checksum, sequence, contents. And that store and log belong together. Prints a line for "
          "each of the two that is sound. Changes nothing. Exit code 4 if anything is wrong. In "
          "the "
          "shell, which has the store open, it makes a checkpoint first, then checks the pages "
          "only "
          "and prints their line.",
      .options = {{.name = "quiet", .help = "no progress on stderr"}},
      .examples = {"emdb verify app.emdb"}};
  const Syntax checkpoint = {.name = "checkpoint",
                             .summary = "Move all writes from the log into the store file",
                             .details = "Afterwards the log is empty, and opening replays nothing.",
                             .examples = {"emdb checkpoint app.emdb"}};
  const Syntax compact = {.name = "compact",
                          .summary = "Rewrite the store file densely and give free space back",
                          .details = "Makes a checkpoint first.",
                          .examples = {"emdb compact app.emdb"}};
  return {{.syntax = stats, .store_use = StoreUse::kRead, .run = RunStats},
          {.syntax = verify, .store_use = StoreUse::kFiles, .run = RunVerify},
          {.syntax = checkpoint, .store_use = StoreUse::kWrite, .run = RunCheckpoint},
          {.syntax = compact, .store_use = StoreUse::kWrite, .run = RunCompact}};
}

}  // namespace emdb::cli
