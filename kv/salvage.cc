#include "kv/salvage.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "kv/db.h"
#include "kv/split_batch.h"
#include "pagestore/page_salvager.h"
#include "storage/posix_env.h"
#include "storage/status.h"
#include "storage/store_id.h"
#include "wal/log_salvager.h"
#include "wal/wal.h"

namespace emdb {
namespace {

constexpr size_t kBatchBytes = size_t{1} << 20;

// Puts records into the new store, many at a time.
class Collector {
 public:
  explicit Collector(Db* db) : db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value) {
    // Before, so that the largest value there may be comes alone: two would be too large a batch.
    EMDB_RETURN_IF_ERROR(WriteUnlessFits(key.size() + value.size()));
    batch_.Put(key, value);
    return absl::OkStatus();
  }
  absl::Status Delete(std::string_view key) {
    EMDB_RETURN_IF_ERROR(WriteUnlessFits(key.size()));
    batch_.Delete(key);
    return absl::OkStatus();
  }
  absl::Status Finish() {
    EMDB_RETURN_IF_ERROR(db_->Write(batch_));
    batch_.Clear();
    return absl::OkStatus();
  }

 private:
  absl::Status WriteUnlessFits(size_t bytes) {
    const bool fits = batch_.count() == 0 || batch_.size_bytes() + bytes <= kBatchBytes;
    return fits ? absl::OkStatus() : Finish();
  }

  Db* const db_;
  WriteBatch batch_;
};

// What is in a store that has been checkpointed.
absl::StatusOr<uint64_t> CountRecords(const Db& db) {
  const PageStoreStats stats = db.GetStats().page_store;
  if (stats.slice_records == 0) return stats.records;
  // Whether a change in a slice adds a record shows only beside the leaves.
  uint64_t records = 0;
  const std::unique_ptr<Iterator> it = db.NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++records;
  EMDB_RETURN_IF_ERROR(it->status());
  return records;
}

// Its calls follow one another as in Run.
class Salvager {
 public:
  Salvager(Env* env, const std::string& source) : env_(env), source_(source) {}

  absl::StatusOr<SalvageReport> Run(const std::string& destination) {
    EMDB_RETURN_IF_ERROR(LockSource());
    EMDB_RETURN_IF_ERROR(OpenLog());
    EMDB_RETURN_IF_ERROR(OpenPages());
    if (log_ == nullptr && pages_ == nullptr) return NothingToRead();
    Options options;
    options.env = env_;
    options.error_if_exists = true;
    absl::StatusOr<std::unique_ptr<Db>> made = Db::Open(options, destination);
    // Of the source nothing is there yet, so it is not this that is damaged.
    if (absl::IsDataLoss(made.status())) return DestinationIsNotFree(destination);
    EMDB_RETURN_IF_ERROR(made.status());
    const std::unique_ptr<Db> db = *std::move(made);
    Collector collector(db.get());
    EMDB_RETURN_IF_ERROR(CopyPages(&collector));
    EMDB_RETURN_IF_ERROR(CopyLog(&collector, LogPart::kRest, &report_.lost));
    EMDB_RETURN_IF_ERROR(collector.Finish());
    EMDB_RETURN_IF_ERROR(db->Verify());
    EMDB_ASSIGN_OR_RETURN(report_.records, CountRecords(*db));
    EMDB_RETURN_IF_ERROR(db->Close());
    return std::move(report_);
  }

 private:
  enum class LogPart { kBeforeCheckpoint, kRest };

  absl::Status LockSource() {
    absl::StatusOr<std::unique_ptr<FileLock>> lock = env_->Lock(source_, LockMode::kShared);
    // A store file that is lost can't be locked, nor be in use.
    if (absl::IsNotFound(lock.status())) return absl::OkStatus();
    EMDB_RETURN_IF_ERROR(lock.status());
    lock_ = *std::move(lock);
    return absl::OkStatus();
  }

  absl::Status OpenLog() {
    const std::string path = Wal::PathFor(source_);
    absl::StatusOr<std::unique_ptr<LogSalvager>> log = LogSalvager::Open(env_, path);
    has_log_file_ = !absl::IsNotFound(log.status());
    if (log.ok()) {
      log_ = *std::move(log);
    } else if (!has_log_file_) {
      report_.lost.push_back({path, 0, "the log is missing, and all that was only there"});
    } else {
      return log.status();
    }
    return absl::OkStatus();
  }

  absl::Status OpenPages() {
    const std::optional<StoreId> id = log_ != nullptr ? log_->store_id() : std::nullopt;
    absl::StatusOr<std::unique_ptr<PageSalvager>> pages = PageSalvager::Open(env_, source_, id);
    if (pages.ok()) {
      pages_ = *std::move(pages);
    } else if (absl::IsNotFound(pages.status()) || absl::IsDataLoss(pages.status())) {
      pages_problem_ = pages.status();
      report_.lost.push_back({source_, 0, std::string(FromAbsl(pages.status().message()))});
    } else {
      return pages.status();
    }
    if (log_ != nullptr && !log_->store_id() && pages_ == nullptr) log_.reset();
    if (pages_ != nullptr && id && *id != pages_->store_id()) {
      report_.lost.push_back({Wal::PathFor(source_), 0,
                              absl::StrCat("the log is of another store, ", StoreIdToString(*id))});
      log_.reset();
    }
    return absl::OkStatus();
  }

  static absl::Status DestinationIsNotFree(const std::string& destination) {
    return absl::AlreadyExistsError(absl::StrCat(
        destination, ": there is no store, but a log of one is left over, ",
        Wal::PathFor(destination),
        "*, and a new store is never made over it; salvage to a fresh name, or move it away"));
  }

  absl::Status NothingToRead() const {
    std::string text = absl::StrCat("nothing of ", source_, " can be read");
    const bool any_file = has_log_file_ || !absl::IsNotFound(pages_problem_);
    for (const LostPiece& piece : report_.lost) {
      absl::StrAppend(&text, "; ", piece.path, ": ", piece.what);
    }
    return any_file ? absl::DataLossError(text) : absl::NotFoundError(text);
  }

  absl::Status CopyPages(Collector* collector) {
    if (pages_ == nullptr) return absl::OkStatus();
    const auto apply = [collector](std::string_view key, std::optional<std::string_view> value) {
      return value ? collector->Put(key, *value) : collector->Delete(key);
    };
    EMDB_RETURN_IF_ERROR(
        pages_->ReadTree([&](std::string_view key, std::optional<std::string_view> value) {
          ++report_.tree_records;
          return apply(key, value);
        }));
    if (!pages_->lost().empty()) {
      // What is missing is told when the rest is read.
      std::vector<LostPiece> ignored;
      EMDB_RETURN_IF_ERROR(CopyLog(collector, LogPart::kBeforeCheckpoint, &ignored));
    }
    EMDB_ASSIGN_OR_RETURN(report_.stray_pages, pages_->ReadStrays(apply));
    report_.lost.insert(report_.lost.end(), pages_->lost().begin(), pages_->lost().end());
    return absl::OkStatus();
  }

  // Of the part before the checkpoint, only what the tree has lost.
  absl::Status CopyLog(Collector* collector, LogPart part, std::vector<LostPiece>* lost) {
    if (log_ == nullptr) return absl::OkStatus();
    const uint64_t next_seq = pages_ != nullptr ? pages_->next_seq() : 0;
    const uint64_t from_seq = part == LogPart::kRest ? next_seq : 0;
    BatchJoiner joiner;
    const auto visit = [&](const SalvagedRecord& record) -> absl::Status {
      if ((record.seq < next_seq) != (part == LogPart::kBeforeCheckpoint)) return absl::OkStatus();
      // Parts of a batch with a hole between them are none.
      if (!record.follows) joiner = BatchJoiner();
      const absl::StatusOr<std::optional<JoinedBatch>> batch = joiner.Add(record.seq, record.bytes);
      if (!batch.ok()) return LoseBatch(record.seq, batch.status(), lost);
      if (!batch->has_value()) return absl::OkStatus();
      const absl::Status decoded = WriteBatch::ForEach(
          (*batch)->bytes, [](WriteBatch::Kind, std::string_view, std::string_view) {});
      if (!decoded.ok()) return LoseBatch(record.seq, decoded, lost);
      if (part == LogPart::kRest) {
        ++report_.log_batches;
        report_.log_batches_behind_gap += record.behind_gap ? 1 : 0;
      }
      return Apply((*batch)->bytes, part, collector);
    };
    EMDB_ASSIGN_OR_RETURN(const LogSalvager::Extent extent, log_->Read(from_seq, visit, lost));
    CheckThatTheyMeet(extent, next_seq, lost);
    return absl::OkStatus();
  }

  absl::Status Apply(std::string_view batch, LogPart part, Collector* collector) {
    absl::Status status;
    EMDB_RETURN_IF_ERROR(WriteBatch::ForEach(batch, [&](WriteBatch::Kind kind, std::string_view key,
                                                        std::string_view value) {
      if (!status.ok() || (part == LogPart::kBeforeCheckpoint && !pages_->IsLost(key))) return;
      status = kind == WriteBatch::Kind::kPut ? collector->Put(key, value) : collector->Delete(key);
    }));
    return status;
  }

  absl::Status LoseBatch(uint64_t seq, const absl::Status& why, std::vector<LostPiece>* lost) {
    lost->push_back(
        {Wal::PathFor(source_), 0, absl::StrCat("log record with seq ", seq, ": ", why.message())});
    return absl::OkStatus();
  }

  void CheckThatTheyMeet(const LogSalvager::Extent& extent, uint64_t next_seq,
                         std::vector<LostPiece>* lost) const {
    if (pages_ == nullptr && extent.first_seq == 0) return;
    if (extent.first_seq > next_seq) {
      lost->push_back({Wal::PathFor(source_), 0,
                       absl::StrCat("log records with seq ", next_seq, " to ", extent.first_seq - 1,
                                    ": the log begins behind them")});
    }
    if (extent.end_seq < next_seq) {
      lost->push_back({Wal::PathFor(source_), 0,
                       absl::StrCat("log records from seq ", next_seq, " on: the log ends at seq ",
                                    extent.end_seq, ", before the checkpoint")});
    }
  }

  Env* const env_;
  const std::string& source_;
  std::unique_ptr<FileLock> lock_;
  bool has_log_file_ = false;
  std::unique_ptr<LogSalvager> log_;     // null: not readable
  std::unique_ptr<PageSalvager> pages_;  // null: not readable
  absl::Status pages_problem_;
  SalvageReport report_;
};

}  // namespace

absl::StatusOr<SalvageReport> Salvage(Env* env, const std::string& source,
                                      const std::string& destination) {
  return Salvager(env != nullptr ? env : PosixEnv(), source).Run(destination);
}

}  // namespace emdb
