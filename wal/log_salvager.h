// LogSalvager: reads what is left of a damaged log, and says what is not.
//
// Reads every segment and the append buffer, whatever is wrong with the others. Where the next
// frame is damaged it looks for the one after, at each place where a frame can begin. A frame is
// taken only if its checksum is right for its place and for a salt that is known to belong there
// (wal/FORMAT.md), so nothing is taken that was not appended to this log there. A segment whose
// header is gone is read under the salt that follows from the segment before.
//
// What recovery would call a torn tail is read too: frames behind the first gap of a log that was
// not closed, of which nobody can tell whether they were durable.
//
// Writes nothing. For one thread. Takes memory for one segment and twice the append buffer.

#ifndef EMDB_WAL_LOG_SALVAGER_H_
#define EMDB_WAL_LOG_SALVAGER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/lost_piece.h"
#include "storage/store_id.h"
#include "wal/segment_format.h"
#include "wal/tail_scan.h"

namespace emdb {

struct SalvagedRecord {
  uint64_t seq = 0;
  std::string_view bytes;
  bool follows = true;      // directly behind the record before it, or is the first of all
  bool behind_gap = false;  // something before it is missing
};

class LogSalvager {
 public:
  struct Extent {
    uint64_t first_seq = 0;  // of what is there or ought to be
    uint64_t end_seq = 0;    // behind the last record that was read
  };
  using Visitor = absl::FunctionRef<absl::Status(const SalvagedRecord& record)>;

  // Looks at the files of the log `path`. NotFound if there are none; FailedPrecondition if all
  // that is readable is of a newer format.
  static absl::StatusOr<std::unique_ptr<LogSalvager>> Open(Env* env, const std::string& path);

  // Of the newest segment whose header is whole.
  std::optional<StoreId> store_id() const { return store_id_; }

  // Calls `visit` for every record that can be read, with rising seqs; an error of it ends the
  // call. What is missing is appended to *lost, but for records below `from_seq`.
  absl::StatusOr<Extent> Read(uint64_t from_seq, Visitor visit, std::vector<LostPiece>* lost) const;

 private:
  struct Piece {
    std::string path;
    std::optional<SegmentHeader> header;
    std::optional<SegmentState> state;
    std::string problem;  // why one of them is absent
  };
  class Walk;

  explicit LogSalvager(Env* env) : env_(env) {}

  absl::Status AddPiece(std::string path);
  void LoadBuffer(const std::string& path, bool is_there);
  void DropSuperseded();
  // Reads one segment, if it is known how.
  absl::Status ReadPiece(size_t index, Walk* walk, std::vector<LostPiece>* lost) const;

  Env* const env_;
  std::vector<Piece> pieces_;  // in the order of the log
  std::vector<LostPiece> lost_files_;
  std::optional<StoreId> store_id_;
  std::string buffer_;  // the append buffer twice, so that every part of its ring is in one piece
};

}  // namespace emdb

#endif  // EMDB_WAL_LOG_SALVAGER_H_
