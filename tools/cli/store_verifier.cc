#include "tools/cli/store_verifier.h"

#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "kv/db.h"
#include "storage/status.h"
#include "tools/cli/store_files.h"

namespace emdb::cli {
namespace {

// The log must hold everything from the checkpoint on, and may not end in front of it.
absl::Status CheckLogReaches(const Wal& log, const PageStore& pages) {
  const uint64_t next_seq = pages.next_seq();
  if (log.first_seq() <= next_seq && next_seq <= log.next_seq()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(ToAbsl(log.path()), " holds records ", log.first_seq(), " to ", log.next_seq(),
                   ", but the store's checkpoint ends at ", next_seq,
                   ": records are missing; restore store and log from one backup"));
}

absl::Status VerifyRecord(uint64_t seq, std::string_view record, VerifyReport* report) {
  // It also refuses keys that are empty or too long.
  const absl::Status decoded = WriteBatch::ForEach(
      record,
      [report](WriteBatch::Kind, std::string_view, std::string_view) { ++report->log_operations; });
  if (!decoded.ok()) return Annotate(decoded, absl::StrCat("log record ", seq));
  ++report->log_records;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyStore(
    Env* env, const std::string& store_path,
    const std::function<void(uint64_t done, uint64_t total)>& page_progress) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock, LockForReading(env, store_path));
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<PageStore> pages, OpenPages(env, store_path));
  EMDB_RETURN_IF_ERROR(pages->Verify(page_progress));
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Wal> log,
                        OpenLog(env, Wal::PathFor(store_path), pages->store_id()));
  EMDB_RETURN_IF_ERROR(CheckLogReaches(*log, *pages));

  VerifyReport report;
  report.pages = pages->stats();
  report.log_first_seq = log->first_seq();
  report.log_next_seq = log->next_seq();
  report.log_bytes_cut = log->recovery().bytes_cut;
  EMDB_RETURN_IF_ERROR(log->Replay(log->first_seq(), [&](uint64_t seq, std::string_view record) {
    return VerifyRecord(seq, record, &report);
  }));
  return report;
}

}  // namespace emdb::cli
