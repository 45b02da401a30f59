// DbLog: the log of a Db: a Wal, or, for a database in memory, a counter of seqs in its place, to
// which everything is durable at once. Thread safe as Wal is; see wal/wal.h for what the calls do.

#ifndef EMDB_KV_DB_LOG_H_
#define EMDB_KV_DB_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/wal.h"

namespace emdb {

class DbLog {
 public:
  // Null: in memory only.
  explicit DbLog(std::unique_ptr<Wal> wal) : wal_(std::move(wal)) {}

  bool in_memory() const { return wal_ == nullptr; }

  absl::StatusOr<uint64_t> Append(std::string_view record) {
    if (wal_ != nullptr) return wal_->Append(record);
    return counter_.fetch_add(1, std::memory_order_relaxed);
  }
  absl::Status WaitForSeq(uint64_t seq) {
    return wal_ != nullptr ? wal_->WaitForSeq(seq) : absl::OkStatus();
  }
  void NotifyDurable(uint64_t seq, std::function<void(const absl::Status&)> done) {
    if (wal_ != nullptr) return wal_->NotifyDurable(seq, std::move(done));
    done(absl::OkStatus());
  }
  absl::Status Flush() { return wal_ != nullptr ? wal_->Flush() : absl::OkStatus(); }
  absl::StatusOr<uint64_t> Rotate() {
    if (wal_ != nullptr) return wal_->Rotate();
    return next_seq();
  }
  absl::Status TruncateBefore(uint64_t seq) {
    return wal_ != nullptr ? wal_->TruncateBefore(seq) : absl::OkStatus();
  }
  absl::Status Close() { return wal_ != nullptr ? wal_->Close() : absl::OkStatus(); }

  uint64_t next_seq() const {
    return wal_ != nullptr ? wal_->next_seq() : counter_.load(std::memory_order_relaxed);
  }
  uint64_t durable_seq() const { return wal_ != nullptr ? wal_->durable_seq() : next_seq(); }
  bool failed() const { return wal_ != nullptr && wal_->failed(); }
  WalStats stats() const { return wal_ != nullptr ? wal_->stats() : WalStats(); }
  WalRecovery recovery() const { return wal_ != nullptr ? wal_->recovery() : WalRecovery(); }

 private:
  const std::unique_ptr<Wal> wal_;
  std::atomic<uint64_t> counter_{0};
};

}  // namespace emdb

#endif  // EMDB_KV_DB_LOG_H_
