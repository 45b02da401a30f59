#include "wal/log_snapshot.h"

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace emdb {
namespace {

absl::Status Damaged(const LogPiece& piece, std::string_view path, const FrameReader& reader) {
  const bool in_file = piece.segment != nullptr;
  return CorruptionError(in_file ? piece.segment->path() : std::string(path),
                         in_file ? piece.segment->OffsetOf(reader.lsn()) : reader.lsn(),
                         reader.problem(), kDamagedLogAdvice);
}

}  // namespace

absl::Status ReplayPiece(const LogPiece& piece, std::string_view path, uint64_t from_seq,
                         WalVisitor visit) {
  FrameReader reader = piece.segment != nullptr ? FrameReader(piece.segment.get(), piece.range)
                                                : FrameReader(piece.bytes, piece.range);
  Frame frame;
  while (!reader.AtEnd()) {
    EMDB_ASSIGN_OR_RETURN(const bool found, reader.Next(&frame));
    if (!found) return Damaged(piece, path, reader);
    if (frame.header.kind != FrameKind::kRecord || frame.header.seq < from_seq) continue;
    EMDB_RETURN_IF_ERROR(visit(frame.header.seq, frame.payload));
  }
  return absl::OkStatus();
}

absl::Status ReplaySnapshot(const LogSnapshot& snapshot, uint64_t from_seq, WalVisitor visit) {
  if (from_seq < snapshot.first_seq) {
    return absl::OutOfRangeError(absl::StrCat(snapshot.path, ": replay from seq ", from_seq,
                                              ": the first seq that is kept is ",
                                              snapshot.first_seq));
  }
  for (size_t i = 0; i < snapshot.pieces.size(); ++i) {
    const bool ends_before =
        i + 1 < snapshot.pieces.size() && snapshot.pieces[i + 1].range.seq <= from_seq;
    if (ends_before) continue;
    EMDB_RETURN_IF_ERROR(ReplayPiece(snapshot.pieces[i], snapshot.path, from_seq, visit));
  }
  return absl::OkStatus();
}

}  // namespace emdb
