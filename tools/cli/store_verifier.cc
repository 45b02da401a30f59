#include "tools/cli/store_verifier.h"

#include <memory>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "kv/db.h"
#include "kv/split_batch.h"
#include "storage/status.h"
#include "storage/store_id.h"
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

// Counts the batches of the log, as recovery would decode them.
class BatchCounter {
 public:
  // `checkpoint_seq` is the first one that is not in the store file.
  BatchCounter(VerifyReport* report, uint64_t checkpoint_seq)
      : report_(report), checkpoint_seq_(checkpoint_seq) {}

  absl::Status Add(uint64_t seq, std::string_view record) {
    const absl::StatusOr<std::optional<JoinedBatch>> batch = joiner_.Add(seq, record);
    // Once a batch is in the store file, the segment of its first part may go before that of its
    // second; nobody reads that one again.
    const bool may_lack_its_first_part = seq == report_->log_first_seq && seq < checkpoint_seq_;
    if (!batch.ok() && may_lack_its_first_part) return absl::OkStatus();
    const absl::Status counted = batch.ok() ? Count(*batch) : batch.status();
    return counted.ok() ? counted : Annotate(counted, absl::StrCat("log record ", seq));
  }

 private:
  absl::Status Count(const std::optional<JoinedBatch>& batch) {
    if (!batch.has_value()) return absl::OkStatus();
    ++report_->log_records;
    // It also refuses keys that are empty or too long.
    return WriteBatch::ForEach(batch->bytes,
                               [this](WriteBatch::Kind, std::string_view, std::string_view) {
                                 ++report_->log_operations;
                               });
  }

  VerifyReport* const report_;
  const uint64_t checkpoint_seq_;
  BatchJoiner joiner_;
};

// The log of the store `id`, if that is known.
absl::StatusOr<std::unique_ptr<Wal>> OpenLogOf(Env* env, const std::string& store_path,
                                               const std::optional<StoreId>& id) {
  const std::string log_path = Wal::PathFor(store_path);
  absl::StatusOr<std::unique_ptr<Wal>> log = OpenLog(env, log_path, id);
  if (!id.has_value() || !absl::IsFailedPrecondition(log.status())) return log;
  // Either it is of a newer format, or of another store: to an open a mistake of the user's, here
  // something that is wrong with the files.
  const absl::Status without_id = OpenLog(env, log_path, std::nullopt).status();
  if (absl::IsFailedPrecondition(without_id)) return without_id;
  return absl::DataLossError(log.status().message());
}

// `pages` is null if the store file cannot be opened.
absl::Status VerifyLog(Env* env, const std::string& store_path, const PageStore* pages,
                       VerifyReport* report) {
  const std::optional<StoreId> id =
      pages == nullptr ? std::nullopt : std::optional<StoreId>(pages->store_id());
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<Wal> log, OpenLogOf(env, store_path, id));
  if (pages != nullptr) EMDB_RETURN_IF_ERROR(CheckLogReaches(*log, *pages));
  report->log_first_seq = log->first_seq();
  report->log_next_seq = log->next_seq();
  report->log_bytes_cut = log->recovery().bytes_cut;
  BatchCounter batches(report, pages == nullptr ? UINT64_MAX : pages->next_seq());
  return log->Replay(log->first_seq(), [&batches](uint64_t seq, std::string_view record) {
    return batches.Add(seq, record);
  });
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyStore(
    Env* env, const std::string& store_path,
    const std::function<void(uint64_t done, uint64_t total)>& page_progress) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock, LockForReading(env, store_path));
  const absl::StatusOr<std::unique_ptr<PageStore>> pages = OpenPages(env, store_path);
  if (!pages.ok() && !absl::IsDataLoss(pages.status())) return pages.status();
  VerifyReport report;
  report.pages_status = pages.ok() ? (*pages)->Verify(page_progress) : pages.status();
  if (pages.ok()) report.pages = (*pages)->stats();
  report.log_status = VerifyLog(env, store_path, pages.ok() ? pages->get() : nullptr, &report);
  return report;
}

}  // namespace emdb::cli
