// CheckedSession: a session of an engine together with the Dataset that knows what it must return.
// Each operation tells the dataset what it wrote, or compares every byte that it read; a wrong
// answer is DataLoss and ends the run of that engine. The comparison is part of what is timed, the
// same for all engines.
//
// What can be judged only by order (does a seek land right, does a scan skip a row) is logged while
// it is timed, 4 bytes a row, and verified afterwards: see SeekLog.
//
// Belongs to one thread. Several may share a dataset if no two of them write the same id.

#ifndef EMDB_TOOLS_BENCH_CHECKED_SESSION_H_
#define EMDB_TOOLS_BENCH_CHECKED_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/bench/dataset.h"
#include "tools/bench/engine.h"

namespace emdb::bench {

// The rows that seeks returned, kept for Verify.
class SeekLog {
 public:
  // A seek to `target_id` that is to return `rows` rows.
  void Begin(uint64_t target_id, int rows) {
    rows_.push_back(kMark);
    rows_.push_back(static_cast<uint32_t>(target_id));
    rows_.push_back(static_cast<uint32_t>(rows));
  }
  void Add(uint64_t id) { rows_.push_back(static_cast<uint32_t>(id)); }

  // Each seek must have returned its target and the records right behind it, without a gap, as many
  // as asked for or up to the last. `live` are the ids in key order at the time of the seeks;
  // records that are not among them may stand between them.
  absl::Status Verify(const Dataset& dataset, const std::vector<uint32_t>& live) const;

 private:
  static constexpr uint32_t kMark = 0xffffffff;

  std::vector<uint32_t> rows_;
};

class CheckedSession {
 public:
  CheckedSession(std::unique_ptr<Session> session, Dataset* dataset)
      : dataset_(dataset), session_(std::move(session)) {}

  // Writes the record's next version.
  absl::Status Put(uint64_t id, Durability durability);
  // Starts a durable write of the record's next version; `done` is called once, on any thread, when
  // it is acknowledged, or with the error. No two writes of an id may be under way.
  void PutAsync(uint64_t id, std::function<void(const absl::Status&)> done);
  absl::Status Delete(uint64_t id, Durability durability);
  absl::Status PutBatch(absl::Span<const uint64_t> ids, Durability durability);
  absl::Status DeleteBatch(absl::Span<const uint64_t> ids, Durability durability);

  // The record must be there, or not, as the dataset says, with exactly these bytes.
  absl::Status Get(uint64_t id);
  // The same while another thread overwrites the record: what was acknowledged before the read, or
  // anything newer.
  absl::Status GetWhileWritten(uint64_t id);
  // Asks for a key that was never written.
  absl::Status GetMissing(uint64_t id);
  absl::Status MultiGet(absl::Span<const uint64_t> ids);

  // Returns a cursor of the session; CheckRow judges where it stands.
  std::unique_ptr<Cursor> NewCursor() { return session_->NewCursor(); }
  // The id of the row at a valid cursor, after comparing its bytes.
  absl::StatusOr<uint64_t> CheckRow(const Cursor& cursor) const;
  // Seeks to the record's key and reads up to `rows` rows, with the cursor of the last call or a
  // new one.
  enum class CursorUse { kReuse, kNew };
  absl::Status SeekAndRead(uint64_t id, int rows, CursorUse use, SeekLog* log);
  // Walks over everything, forward or back: every record that is there must come, in order.
  absl::StatusOr<uint64_t> ScanAll(bool forward);

 private:
  absl::Status CheckGet(uint64_t id, const absl::Status& status) const;
  absl::Status WriteBatch(absl::Span<const uint64_t> ids, bool is_delete, Durability durability);

  Dataset* const dataset_;
  const std::unique_ptr<Session> session_;
  std::unique_ptr<Cursor> cursor_;
  std::string key_;
  std::string value_;
  // Of batches: keys and values one after another, and what points into them.
  std::vector<std::string> batch_keys_;
  std::vector<std::string> batch_values_;
  std::vector<WriteOperation> operations_;
  std::vector<std::string_view> key_views_;
  std::vector<absl::Status> statuses_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_CHECKED_SESSION_H_
