#include "wal/log_salvager.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/coding.h"
#include "storage/status.h"
#include "wal/log_files.h"
#include "wal/record_format.h"

namespace emdb {
namespace {

// More than this, for each byte of a segment and of the buffer, is compared with checksums only if
// bytes were made to look like frames.
constexpr uint64_t kMaxChecksOfAByte = 8;

// Reads a file, up to `max_bytes`; pieces that the disk does not give are zeros, which are no
// frames.
absl::StatusOr<std::string> ReadWhatIsThere(Env* env, const std::string& path,
                                            uint64_t max_bytes = UINT64_MAX) {
  constexpr size_t kPieceBytes = 64 << 10;
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, env->OpenFile(path, OpenOptions{}));
  EMDB_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  const uint64_t size = std::min(file_bytes, max_bytes);
  std::string bytes(size, '\0');
  for (uint64_t at = 0; at < size; at += kPieceBytes) {
    const size_t want = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, size - at));
    if (!file->ReadAt(at, want, bytes.data() + at).ok()) {
      std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at), want, '\0');
    }
  }
  return bytes;
}

}  // namespace

// Follows the stream through one segment, and the segments that a killed process had begun behind
// it in the append buffer.
class LogSalvager::Walk {
 public:
  Walk(std::string_view buffer, uint64_t from_seq, Visitor visit, std::vector<LostPiece>* lost)
      : buffer_(buffer), from_seq_(from_seq), visit_(visit), lost_(lost) {}

  // Nothing was read yet.
  bool AtStart() const { return path_.empty(); }
  const Extent& extent() const { return extent_; }
  uint64_t seq() const { return extent_.end_seq; }

  // The header that a segment has that was rotated to from here, as it should be.
  SegmentHeader HeaderOfNext(const StoreId& store_id, uint64_t file_bytes) const {
    SegmentHeader header;
    header.store_id = store_id;
    header.salt = NextSalt(salt_);
    header.first_seq = seq();
    header.base_lsn = RoundUpToBlock(lsn_);
    header.capacity_bytes =
        RoundDownToBlock(std::max(file_bytes, 2 * kSegmentBlockBytes) - kSegmentBlockBytes);
    return header;
  }

  // `next` is the header of the segment behind, if it is known.
  absl::Status Through(const Piece& piece, std::string_view file_bytes, const SegmentHeader* next) {
    const SegmentHeader& header = *piece.header;
    if (AtStart()) extent_ = {header.first_seq, header.first_seq};
    path_ = piece.path;
    base_lsn_ = lsn_ = header.base_lsn;
    SkipTo(header.first_seq, "the records between two segments are missing");
    salt_ = header.salt;
    const SegmentState state = piece.state.value_or(SegmentState());
    state_ = state;
    other_salt_ = state.end_salt;
    stream_end_lsn_ = header.end_lsn();
    // Behind the end stands what was cut off once, and has been replaced.
    if (state.mark == SegmentMark::kSealed) stream_end_lsn_ = state.end_lsn;
    if (next != nullptr && next->prev_salt == header.salt) {
      stream_end_lsn_ = std::min(stream_end_lsn_, std::max(base_lsn_, next->prev_end_lsn));
    }
    // A log that was closed, and used again, goes on in the buffer only.
    const uint64_t file_end_lsn =
        state.mark == SegmentMark::kClosed ? state.end_lsn : stream_end_lsn_;
    room_ = file_bytes.substr(std::min<size_t>(file_bytes.size(), kSegmentBlockBytes));
    room_ = room_.substr(0, file_end_lsn - base_lsn_);
    bytes_checked_ = 0;
    EMDB_RETURN_IF_ERROR(TakeAll());
    const uint64_t end_seq = next != nullptr ? next->first_seq : state.end_seq;
    SkipTo(end_seq, "they had been durable, and are missing");
    return absl::OkStatus();
  }

  // What the append buffer holds of segments that were not made yet.
  absl::Status BehindTheLast() {
    if (AtStart()) return absl::OkStatus();
    room_ = {};
    state_ = {};
    bytes_checked_ = 0;
    for (;;) {
      const uint64_t salt_before = salt_;
      const uint64_t lsn_before = lsn_;
      salt_ = NextSalt(salt_);
      lsn_ = RoundUpToBlock(lsn_);
      base_lsn_ = lsn_;
      stream_end_lsn_ = UINT64_MAX;
      if (!FrameAt(lsn_, salt_, seq())) {
        salt_ = salt_before;
        lsn_ = lsn_before;
        return absl::OkStatus();
      }
      EMDB_RETURN_IF_ERROR(TakeAll());
    }
  }

 private:
  struct Found {
    FrameHeader header;
    std::string_view payload;
  };

  absl::Status TakeAll() {
    for (;;) {
      const std::optional<Found> frame = FrameAt(lsn_, salt_, seq());
      if (frame) {
        EMDB_RETURN_IF_ERROR(Take(*frame));
      } else if (!FindNext()) {
        return absl::OkStatus();
      }
    }
  }

  absl::Status Take(const Found& frame) {
    const FrameHeader& header = frame.header;
    lsn_ += FrameBytes(header.length);
    if (header.kind == FrameKind::kResume) salt_ = Load64(frame.payload.data());
    if (!TakesSeq(header.kind)) return absl::OkStatus();
    extent_.end_seq = header.seq + 1;
    if (header.kind == FrameKind::kVoid) return absl::OkStatus();
    const SalvagedRecord record = {header.seq, frame.payload, follows_, behind_gap_};
    follows_ = true;
    return visit_(record);
  }

  // The intact frame at `lsn`, in the file or in the buffer, with a seq of at least `min_seq` and
  // not more than the stream has room for.
  std::optional<Found> FrameAt(uint64_t lsn, uint64_t salt, uint64_t min_seq) {
    const uint64_t max_seq = min_seq + (lsn - lsn_) / kFrameHeaderBytes + (lsn == lsn_ ? 0 : 1);
    const uint64_t in_file = lsn - base_lsn_;
    if (in_file < room_.size()) {
      if (auto found = Decode(room_.substr(in_file), {salt, lsn}, min_seq, max_seq)) {
        return NewerOf(*found, {salt, lsn});
      }
    }
    return Decode(InBuffer(lsn), {salt, lsn}, min_seq, max_seq);
  }

  // What the buffer has in place of `in_file`: a write that failed may have left a record in the
  // file that was made void, or not appended at all. Nothing if it has that in the next segment.
  std::optional<Found> NewerOf(const Found& in_file, const FramePlace& place) {
    const FrameHeader& header = in_file.header;
    if (header.kind != FrameKind::kRecord) return in_file;
    const auto newer = Decode(InBuffer(place.lsn), place, header.seq, header.seq);
    if (newer) return newer;
    // As in tail_scan.cc.
    if (header.length <= buffer_bytes() / 2) return in_file;
    const FramePlace next = {NextSalt(place.salt), RoundUpToBlock(place.lsn)};
    if (Decode(BufferFrom(next.lsn), next, header.seq, header.seq)) return std::nullopt;
    return in_file;
  }

  uint64_t buffer_bytes() const { return buffer_.size() / 2; }

  // What the buffer would hold of the segment from `lsn` on.
  std::string_view InBuffer(uint64_t lsn) const {
    return BufferFrom(lsn).substr(0, stream_end_lsn_ - lsn);
  }
  std::string_view BufferFrom(uint64_t lsn) const {
    if (buffer_.empty()) return {};
    return buffer_.substr(lsn & (buffer_bytes() - 1), buffer_bytes());
  }

  std::optional<Found> Decode(std::string_view bytes, const FramePlace& place, uint64_t min_seq,
                              uint64_t max_seq) {
    Found found;
    if (bytes.size() < kFrameHeaderBytes || !DecodeFrameHeader(bytes.data(), &found.header) ||
        found.header.seq < min_seq || found.header.seq > max_seq) {
      return std::nullopt;
    }
    const uint64_t size = FrameBytes(found.header.length);
    if (size > bytes.size()) return std::nullopt;
    bytes_checked_ += size;
    if (!FrameIsIntact(found.header, place, bytes.substr(0, size))) return std::nullopt;
    found.payload = FramePayload(found.header, bytes);
    if (found.header.kind == FrameKind::kWitness &&
        Load64(found.payload.data()) > found.header.seq) {
      return std::nullopt;
    }
    // As in tail_scan.cc.
    const bool is_resume =
        found.header.kind == FrameKind::kResume && Load64(found.payload.data()) == state_.end_salt;
    if (state_.ResumesAt(place.lsn) && !is_resume) return std::nullopt;
    return found;
  }

  // Moves to the next intact frame behind the damage; false if there is none in the segment.
  bool FindNext() {
    const uint64_t end_lsn =
        std::min(stream_end_lsn_, std::max(base_lsn_ + room_.size(), lsn_ + buffer_bytes()));
    for (uint64_t lsn = lsn_ + kFrameAlignment; lsn + kFrameHeaderBytes <= end_lsn;
         lsn += kFrameAlignment) {
      if (bytes_checked_ > kMaxChecksOfAByte * (room_.size() + buffer_.size())) {
        lost_->push_back({path_, kSegmentBlockBytes + lsn - base_lsn_,
                          "from here on no frame was looked for, since too many bytes look like "
                          "frames and are not"});
        return false;
      }
      for (const uint64_t salt : std::array{salt_, other_salt_}) {
        const std::optional<Found> found = FrameAt(lsn, salt, seq());
        if (!found) continue;
        SkipTo(found->header.seq, "found bytes that are not these records");
        lsn_ = lsn;
        salt_ = salt;
        return true;
      }
    }
    return false;
  }

  // Goes on at `seq`, if it is not there yet; the records before it are not where they should be.
  void SkipTo(uint64_t seq, std::string_view why) {
    if (seq <= this->seq()) return;
    if (seq > from_seq_) {
      lost_->push_back({path_, kSegmentBlockBytes + lsn_ - base_lsn_,
                        absl::StrCat("log records with seq ", std::max(this->seq(), from_seq_),
                                     " to ", seq - 1, ": ", ToAbsl(why))});
    }
    extent_.end_seq = seq;
    follows_ = false;
    behind_gap_ = true;
  }

  const std::string_view buffer_;  // twice
  const uint64_t from_seq_;
  const Visitor visit_;
  std::vector<LostPiece>* const lost_;
  std::string path_;       // of the segment
  std::string_view room_;  // of the segment's file, as far as it holds the stream
  uint64_t base_lsn_ = 0;
  uint64_t stream_end_lsn_ = 0;  // no frame of the segment is at or behind it
  uint64_t lsn_ = 0;
  uint64_t salt_ = 0;
  uint64_t bytes_checked_ = 0;  // of this segment, against a checksum
  SegmentState state_;          // of this segment, if it has one
  uint64_t other_salt_ = 0;     // that may be in force behind a damaged resume frame
  Extent extent_;
  bool follows_ = true;
  bool behind_gap_ = false;
};

absl::StatusOr<std::unique_ptr<LogSalvager>> LogSalvager::Open(Env* env, const std::string& path) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<LogFiles> files, LogFiles::Open(env, path));
  EMDB_ASSIGN_OR_RETURN(const LogFiles::Listing listing, files->List());
  std::unique_ptr<LogSalvager> salvager(new LogSalvager(env));
  for (const uint64_t seq : listing.sealed) {
    EMDB_RETURN_IF_ERROR(salvager->AddPiece(files->SealedPath(seq)));
  }
  if (listing.has_active) {
    EMDB_RETURN_IF_ERROR(salvager->AddPiece(files->ActivePath()));
  }
  if (salvager->pieces_.empty()) {
    return absl::NotFoundError(absl::StrCat(path, ": there is no such log"));
  }
  salvager->DropSuperseded();
  salvager->LoadBuffer(files->BufferPath(), listing.has_buffer);
  return salvager;
}

absl::Status LogSalvager::AddPiece(std::string path) {
  Piece piece = {std::move(path), {}, {}, ""};
  const absl::StatusOr<std::string> bytes = ReadWhatIsThere(env_, piece.path, kSegmentBlockBytes);
  SegmentHeader header;
  SegmentState state;
  absl::Status status =
      bytes.ok() ? DecodeSegmentHeader(*bytes, piece.path, &header) : bytes.status();
  if (absl::IsFailedPrecondition(status)) return status;
  if (status.ok()) {
    piece.header = header;
    status = DecodeSegmentBlock(*bytes, piece.path, &header, &state);
  }
  if (status.ok()) piece.state = state;
  piece.problem = std::string(FromAbsl(status.message()));
  pieces_.push_back(std::move(piece));
  return absl::OkStatus();
}

void LogSalvager::LoadBuffer(const std::string& path, bool is_there) {
  const Piece& last = pieces_.back();
  const bool was_closed = last.state && last.state->mark == SegmentMark::kClosed;
  if (!is_there) {
    if (was_closed) return;
    lost_files_.push_back({path, 0,
                           "the append buffer is missing, and the log was not closed: its newest "
                           "records may have been there"});
    return;
  }
  const absl::StatusOr<BufferImage> image = BufferImage::Open(env_, path);
  absl::Status status = image.status();
  if (status.ok()) {
    buffer_.resize(2 * image->size());
    status = image->Read(0, image->size(), buffer_.data());
  }
  if (!status.ok()) {
    buffer_.clear();
    lost_files_.push_back({path, 0, absl::StrCat("the append buffer: ", status.message())});
    return;
  }
  std::copy_n(buffer_.data(), image->size(), buffer_.data() + image->size());
}

void LogSalvager::DropSuperseded() {
  for (const Piece& piece : pieces_) {
    if (piece.header) store_id_ = piece.header->store_id;
  }
  std::erase_if(pieces_, [this](const Piece& piece) {
    if (!piece.header || piece.header->store_id == *store_id_) return false;
    lost_files_.push_back({piece.path, 0, "a log segment of another store"});
    return true;
  });
  for (size_t i = pieces_.size(); i-- > 0;) {
    if (!pieces_[i].state || !pieces_[i].state->is_first) continue;
    // What is in front was left over by a crash, and its numbers may have been given out again.
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(i));
    return;
  }
}

absl::Status LogSalvager::ReadPiece(size_t index, Walk* walk, std::vector<LostPiece>* lost) const {
  Piece piece = pieces_[index];
  if (!piece.problem.empty()) lost->push_back({piece.path, 0, piece.problem});
  const absl::StatusOr<std::string> bytes = ReadWhatIsThere(env_, piece.path);
  // Without a header, and nothing before it to tell its salt, no frame can be told from noise.
  if (!bytes.ok() || (!piece.header && walk->AtStart())) return absl::OkStatus();
  if (!piece.header) piece.header = walk->HeaderOfNext(*store_id_, bytes->size());
  if (bytes->size() < piece.header->file_bytes()) {
    lost->push_back(
        {piece.path, bytes->size(),
         absl::StrCat("the file ends here, expected ", piece.header->file_bytes(), " bytes")});
  }
  const bool knows_next = index + 1 < pieces_.size() && pieces_[index + 1].header;
  return walk->Through(piece, *bytes, knows_next ? &*pieces_[index + 1].header : nullptr);
}

absl::StatusOr<LogSalvager::Extent> LogSalvager::Read(uint64_t from_seq, Visitor visit,
                                                      std::vector<LostPiece>* lost) const {
  lost->insert(lost->end(), lost_files_.begin(), lost_files_.end());
  Walk walk(buffer_, from_seq, visit, lost);
  for (size_t i = 0; i < pieces_.size(); ++i) EMDB_RETURN_IF_ERROR(ReadPiece(i, &walk, lost));
  EMDB_RETURN_IF_ERROR(walk.BehindTheLast());
  const Piece& last = pieces_.back();
  if (last.state && last.state->mark == SegmentMark::kSealed) {
    lost->push_back({last.path, 0,
                     absl::StrCat("the segment behind this one is missing: log records from seq ",
                                  last.state->end_seq, " on")});
  }
  return walk.extent();
}

}  // namespace emdb
