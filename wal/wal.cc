#include "wal/wal.h"

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/posix_env.h"
#include "storage/status.h"
#include "wal/log_files.h"
#include "wal/log_finder.h"
#include "wal/log_snapshot.h"
#include "wal/log_writer.h"
#include "wal/record_format.h"
#include "wal/recovery.h"

namespace emdb {
namespace {

constexpr uint64_t kMinSizeBytes = uint64_t{64} << 10;
constexpr uint64_t kMaxSizeBytes = uint64_t{1} << 30;

absl::Status CheckRange(std::string_view option, uint64_t value) {
  if (value >= kMinSizeBytes && value <= kMaxSizeBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("WalOptions::", ToAbsl(option), " is ", value,
                                                 ", expected ", kMinSizeBytes, " to ",
                                                 kMaxSizeBytes));
}

absl::Status CheckOptions(const WalOptions& options) {
  EMDB_RETURN_IF_ERROR(CheckRange("segment_size_bytes", options.segment_size_bytes));
  EMDB_RETURN_IF_ERROR(CheckRange("append_buffer_size_bytes", options.append_buffer_size_bytes));
  if (!std::has_single_bit(options.append_buffer_size_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("WalOptions::append_buffer_size_bytes is ",
                                                   options.append_buffer_size_bytes,
                                                   ", expected a power of two"));
  }
  const absl::Duration max_wait = options.flush_policy.max_wait();
  if (max_wait < absl::ZeroDuration() || max_wait > absl::Hours(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "FlushPolicy::Group(", absl::FormatDuration(max_wait), "), expected 0 to 1 hour"));
  }
  return absl::OkStatus();
}

absl::Status ReadOnlyError() {
  return absl::FailedPreconditionError("the log was opened for reading only");
}

WalRecovery ReportOf(const FoundLog& found) {
  WalRecovery report;
  if (found.segments.empty()) return report;
  report.first_seq = found.segments.front()->header().first_seq;
  report.records = found.next_seq - report.first_seq;
  report.records_from_buffer = found.tail.records_from_buffer;
  report.segments = found.segments.size();
  report.bytes_cut = found.tail.bytes_cut;
  report.was_clean = found.was_closed;
  return report;
}

}  // namespace

static_assert(Wal::kMaxRecordBytes == kMaxRecordBytes);

class Wal::Impl {
 public:
  std::unique_ptr<LogFiles> files;
  StoreId store_id{};
  WalRecovery recovery;
  std::unique_ptr<LogWriter> writer;  // null: opened for reading only
  LogSnapshot snapshot;               // then
  uint64_t next_seq = 0;              // then

  LogSnapshot Snapshot() const { return writer ? writer->Snapshot() : snapshot; }
};

absl::StatusOr<std::unique_ptr<Wal>> Wal::Open(std::string path, const WalOptions& options) {
  return OpenLog(std::move(path), options, nullptr);
}

absl::StatusOr<std::unique_ptr<Wal>> Wal::Open(std::string path, const WalOptions& options,
                                               const WalRedo& redo) {
  return OpenLog(std::move(path), options, &redo);
}

absl::StatusOr<std::unique_ptr<Wal>> Wal::OpenLog(std::string path, const WalOptions& options,
                                                  const WalRedo* redo) {
  EMDB_RETURN_IF_ERROR(CheckOptions(options));
  Env* const env = options.env != nullptr ? options.env : PosixEnv();
  auto impl = std::make_unique<Impl>();
  EMDB_ASSIGN_OR_RETURN(impl->files, LogFiles::Open(env, std::move(path)));
  EMDB_ASSIGN_OR_RETURN(FoundLog found, FindLog(impl->files.get(), options, redo));
  impl->recovery = ReportOf(found);
  if (options.read_only) {
    impl->store_id = found.segments.back()->header().store_id;
    EMDB_ASSIGN_OR_RETURN(impl->snapshot, SnapshotOf(*impl->files, found));
    impl->next_seq = found.next_seq;
  } else {
    EMDB_ASSIGN_OR_RETURN(RecoveredLog log,
                          RecoverLog(impl->files.get(), options, std::move(found)));
    impl->store_id = log.segments.back()->header().store_id;
    EMDB_ASSIGN_OR_RETURN(impl->writer,
                          LogWriter::Start(impl->files.get(), options, std::move(log)));
  }
  return std::unique_ptr<Wal>(new Wal(std::move(impl)));
}

std::string Wal::PathFor(std::string_view store_path) { return LogFiles::PathFor(store_path); }

Wal::Wal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Wal::~Wal() = default;

absl::StatusOr<uint64_t> Wal::Append(std::string_view record) {
  if (impl_->writer == nullptr) return ReadOnlyError();
  return impl_->writer->Append(record);
}

absl::Status Wal::WaitForSeq(uint64_t seq) {
  if (impl_->writer != nullptr) return impl_->writer->WaitForSeq(seq);
  if (seq < impl_->next_seq) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("seq ", seq, " was not handed out"));
}

void Wal::NotifyDurable(uint64_t seq, std::function<void(const absl::Status&)> done) {
  if (impl_->writer == nullptr) return done(WaitForSeq(seq));
  impl_->writer->NotifyDurable(seq, std::move(done));
}

absl::Status Wal::Flush() {
  return impl_->writer != nullptr ? impl_->writer->Flush() : ReadOnlyError();
}

absl::Status Wal::Truncate(uint64_t first_seq) {
  return impl_->writer != nullptr ? impl_->writer->Truncate(first_seq) : ReadOnlyError();
}

absl::StatusOr<uint64_t> Wal::Rotate() {
  if (impl_->writer == nullptr) return ReadOnlyError();
  return impl_->writer->Rotate();
}

absl::Status Wal::TruncateBefore(uint64_t seq) {
  return impl_->writer != nullptr ? impl_->writer->TruncateBefore(seq) : ReadOnlyError();
}

absl::Status Wal::ReadAll(std::string* out) {
  out->clear();
  const LogSnapshot snapshot = impl_->Snapshot();
  return ReplaySnapshot(snapshot, snapshot.first_seq, [out](uint64_t, std::string_view record) {
    out->append(record);
    return absl::OkStatus();
  });
}

absl::Status Wal::Replay(uint64_t from_seq, WalVisitor visit) {
  return ReplaySnapshot(impl_->Snapshot(), from_seq, visit);
}

absl::Status Wal::Close() {
  return impl_->writer != nullptr ? impl_->writer->Close() : absl::OkStatus();
}

std::string_view Wal::path() const { return impl_->files->ActivePath(); }
const StoreId& Wal::store_id() const { return impl_->store_id; }
uint64_t Wal::pending_bytes() const {
  return impl_->writer != nullptr ? impl_->writer->pending_bytes() : 0;
}
uint64_t Wal::next_seq() const {
  return impl_->writer != nullptr ? impl_->writer->next_seq() : impl_->next_seq;
}
uint64_t Wal::durable_seq() const {
  return impl_->writer != nullptr ? impl_->writer->durable_seq() : impl_->next_seq;
}
bool Wal::failed() const { return impl_->writer != nullptr && impl_->writer->failed(); }
uint64_t Wal::first_seq() const {
  return impl_->writer != nullptr ? impl_->writer->first_seq() : impl_->snapshot.first_seq;
}
WalStats Wal::stats() const {
  if (impl_->writer != nullptr) return impl_->writer->stats();
  WalStats stats;
  stats.segments_live = impl_->recovery.segments;
  return stats;
}
const WalRecovery& Wal::recovery() const { return impl_->recovery; }

}  // namespace emdb
