#include "wal/tail_scan.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/coding.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint64_t kMaxBufferBytes = uint64_t{1} << 30;
// Frames, and frames within their payloads, come to less than this many times the room they are in.
constexpr uint64_t kMaxChecksOfAByte = 4;
constexpr uint64_t kWindowBytes = uint64_t{256} << 10;

// True if the buffer has the frame with `header` at `place`, and it is intact.
absl::StatusOr<bool> HoldsFrame(const BufferImage& buffer, const FrameHeader& header,
                                const FramePlace& place) {
  const uint64_t size = FrameBytes(header.length);
  if (size > buffer.size()) return false;
  EMDB_ASSIGN_OR_RETURN(const std::string frame, buffer.Read(place.lsn, size));
  return FrameIsIntact(header, place, frame);
}

// True if the buffer has an intact frame with `seq` at `place`.
absl::StatusOr<bool> HoldsSeq(const BufferImage& buffer, uint64_t seq, const FramePlace& place) {
  if (buffer.size() == 0) return false;
  EMDB_ASSIGN_OR_RETURN(const std::string head, buffer.Read(place.lsn, kFrameHeaderBytes));
  FrameHeader header;
  if (!DecodeFrameHeader(head.data(), &header) || header.seq != seq) return false;
  return HoldsFrame(buffer, header, place);
}

// Where the segment begins that is started where a frame would be at `place`.
FramePlace PlaceInNextSegment(const FramePlace& place) {
  return {NextSalt(place.salt), RoundUpToBlock(place.lsn)};
}

class Scanner {
 public:
  Scanner(const Segment& last, const BufferImage& buffer, WalVisitor visit)
      : last_(last),
        state_(last.state()),
        buffer_(buffer),
        visit_(visit),
        salt_(last.header().salt) {
    scan_.end_lsn = last.header().base_lsn;
    scan_.end_seq = last.header().first_seq;
    scan_.durable_lsn = scan_.end_lsn;
    group_ends_.push_back({scan_.end_seq, scan_.end_lsn});
  }

  absl::StatusOr<TailScan> Run() {
    // What the file lacks may be in the buffer, and behind it the file may go on.
    bool goes_on = true;
    while (goes_on) {
      EMDB_RETURN_IF_ERROR(ScanFile().status());
      EMDB_ASSIGN_OR_RETURN(goes_on, ScanBuffer(last_.header().end_lsn()));
    }
    EMDB_ASSIGN_OR_RETURN(const bool more, ScanSegmentsToCome());
    if (!more) EMDB_RETURN_IF_ERROR(CheckBehindEnd());
    return std::move(scan_);
  }

 private:
  struct GroupEnd {
    uint64_t seq;
    uint64_t lsn;
  };

  FrameRange RangeTo(uint64_t end_lsn) const {
    return {salt_, scan_.end_lsn, end_lsn, scan_.end_seq};
  }

  // Takes what `reader` finds; false if that is nothing. A piece that is all witnesses counts.
  absl::StatusOr<bool> Take(FrameReader* reader, bool in_buffer) {
    const FrameRange before = RangeTo(scan_.end_lsn);
    Frame frame;
    while (true) {
      EMDB_ASSIGN_OR_RETURN(const bool found, reader->Next(&frame));
      if (!found || IsInPlaceOfResume(frame)) break;
      if (frame.header.kind == FrameKind::kRecord) {
        const FramePlace place = {reader->salt(), scan_.end_lsn};
        EMDB_ASSIGN_OR_RETURN(const bool is_replaced,
                              in_buffer ? false : IsReplaced(frame.header, place));
        if (is_replaced) break;
        EMDB_RETURN_IF_ERROR(visit_(frame.header.seq, frame.payload));
      } else if (frame.header.kind == FrameKind::kWitness) {
        NoteWitness(Load64(frame.payload.data()), {reader->seq(), reader->lsn()});
      }
      scan_.end_lsn = reader->lsn();
      scan_.end_seq = reader->seq();
      salt_ = reader->salt();
    }
    if (scan_.end_lsn == before.begin_lsn) return false;
    if (in_buffer) scan_.records_from_buffer += scan_.end_seq - before.seq;
    scan_.parts.push_back(
        {{before.salt, before.begin_lsn, scan_.end_lsn, before.seq}, in_buffer, in_last_});
    return true;
  }

  // True if `frame`, at the end so far, is where only the resume frame with the salt of the state
  // can be. Before the log was closed a record may have been written there whose append failed; and
  // an open that a power cut ended may have left a resume frame of its own.
  bool IsInPlaceOfResume(const Frame& frame) const {
    if (!in_last_ || !state_.ResumesAt(scan_.end_lsn)) return false;
    return frame.header.kind != FrameKind::kResume ||
           Load64(frame.payload.data()) != state_.end_salt;
  }

  // True if the buffer holds another frame in place of the record with `header` that the file has.
  // A write that failed may have left all of that record there, which was made void afterwards, or
  // was not appended at all, and left its seq to another.
  absl::StatusOr<bool> IsReplaced(const FrameHeader& header, const FramePlace& place) {
    EMDB_ASSIGN_OR_RETURN(const bool is_replaced_here, HoldsAnother(header, place));
    // One that fits into the buffer has its place there as soon as it has a seq.
    if (is_replaced_here || header.length <= buffer_.size() / 2) return is_replaced_here;
    // The other may be the first of the next segment.
    return HoldsSeq(buffer_, header.seq, PlaceInNextSegment(place));
  }

  absl::StatusOr<bool> HoldsAnother(const FrameHeader& header, const FramePlace& place) {
    const uint64_t size = std::min(buffer_.size(), kWindowBytes);
    if (size == 0) return false;
    const uint64_t window_end = window_lsn_ + window_.size();
    if (place.lsn < window_lsn_ || place.lsn + kFrameHeaderBytes > window_end) {
      EMDB_ASSIGN_OR_RETURN(window_, buffer_.Read(place.lsn, size));
      window_lsn_ = place.lsn;
    }
    FrameHeader newer;
    if (!DecodeFrameHeader(window_.data() + (place.lsn - window_lsn_), &newer)) return false;
    if (newer.seq != header.seq || newer.crc == header.crc) return false;
    return HoldsFrame(buffer_, newer, place);
  }

  absl::StatusOr<bool> ScanFile() {
    FrameReader reader(&last_, RangeTo(last_.header().end_lsn()));
    return Take(&reader, false);
  }

  // Takes what the buffer has, in the segment that ends at `segment_end_lsn`.
  absl::StatusOr<bool> ScanBuffer(uint64_t segment_end_lsn) {
    const uint64_t size = std::min(buffer_.size(), segment_end_lsn - scan_.end_lsn);
    if (size == 0) return false;
    FrameReader reader(&buffer_, RangeTo(scan_.end_lsn + size));
    return Take(&reader, true);
  }

  // Takes records of segments that were started in the buffer only; false if there are none.
  absl::StatusOr<bool> ScanSegmentsToCome() {
    bool found = false;
    in_last_ = false;
    while (true) {
      const uint64_t salt_before = salt_;
      const uint64_t end_before = scan_.end_lsn;
      salt_ = NextSalt(salt_);
      scan_.end_lsn = RoundUpToBlock(scan_.end_lsn);
      EMDB_ASSIGN_OR_RETURN(const bool goes_on, ScanBuffer(UINT64_MAX));
      if (!goes_on) {
        salt_ = salt_before;
        scan_.end_lsn = end_before;
        return found;
      }
      found = true;
    }
  }

  // A witness of what was durable, between groups: the end of the group at or below it is a place
  // that was synced. (Not so if it stands in a segment to come: the one in front may end with a
  // witness that was never synced, at the same seq.)
  void NoteWitness(uint64_t durable_seq, GroupEnd here) {
    while (!group_ends_.empty() && group_ends_.front().seq <= durable_seq) {
      if (in_last_) scan_.durable_lsn = group_ends_.front().lsn;
      group_ends_.pop_front();
    }
    group_ends_.push_back(here);
  }

  // What lies behind the end, in the last segment.
  struct Behind {
    uint64_t frames = 0;
    uint64_t record_bytes = 0;
    uint64_t witnessed_seq = 0;
    bool is_all = true;  // or there may be more records, but not more witnesses
  };

  // Looks for intact frames under `salt` at every place from the end on. When so much there looks
  // like records that to compare them all would take too long, it goes on with what is short.
  absl::StatusOr<Behind> LookBehind(uint64_t salt) const {
    const uint64_t from_lsn = scan_.end_lsn;
    const uint64_t end_lsn = last_.header().end_lsn();
    const uint64_t max_checked = kMaxChecksOfAByte * (end_lsn - from_lsn);
    FrameReader reader(&last_, {salt, from_lsn, end_lsn, scan_.end_seq});
    Behind behind;
    for (uint64_t lsn = from_lsn; lsn + kFrameHeaderBytes <= end_lsn;) {
      const uint64_t max_seq = scan_.end_seq + (lsn - from_lsn) / kFrameHeaderBytes + 1;
      Frame frame;
      behind.is_all = behind.is_all && reader.bytes_checked() <= max_checked;
      EMDB_ASSIGN_OR_RETURN(const bool intact,
                            behind.is_all ? reader.Peek(lsn, scan_.end_seq, max_seq, &frame)
                                          : reader.PeekNumber(lsn, scan_.end_seq, max_seq, &frame));
      if (!intact) {
        lsn += kFrameAlignment;
        continue;
      }
      ++behind.frames;
      if (frame.header.kind == FrameKind::kRecord) behind.record_bytes += frame.payload.size();
      if (frame.header.kind == FrameKind::kWitness) {
        behind.witnessed_seq = std::max(behind.witnessed_seq, Load64(frame.payload.data()));
      }
      lsn += FrameBytes(frame.header.length);
    }
    return behind;
  }

  // Looks past the end of the last segment for signs that something there had been durable.
  absl::Status CheckBehindEnd() {
    EMDB_ASSIGN_OR_RETURN(const Behind behind, LookBehind(salt_));
    scan_.bytes_cut = behind.record_bytes;
    const uint64_t witnessed_seq = std::max(state_.end_seq, behind.witnessed_seq);
    if (witnessed_seq > scan_.end_seq || state_.end_lsn > scan_.end_lsn) {
      return Damaged(absl::StrCat("the records below seq ", witnessed_seq, " had been durable"));
    }
    if (!state_.ResumesAt(scan_.end_lsn)) return absl::OkStatus();
    // The log went on here with a resume frame, and nothing was appended before that was durable.
    EMDB_ASSIGN_OR_RETURN(const Behind resumed, LookBehind(state_.end_salt));
    if (resumed.frames == 0 && resumed.is_all) return absl::OkStatus();
    return Damaged("the log went on here with a resume frame, which is missing or damaged");
  }

  absl::Status Damaged(std::string_view evidence) const {
    return CorruptionError(last_.path(), last_.OffsetOf(scan_.end_lsn),
                           absl::StrCat("expected the record with seq ", scan_.end_seq,
                                        ", found bytes that are not it; ", ToAbsl(evidence)),
                           kDamagedLogAdvice);
  }

  const Segment& last_;
  const SegmentState state_;  // of last_
  const BufferImage& buffer_;
  const WalVisitor visit_;
  uint64_t salt_;
  bool in_last_ = true;
  TailScan scan_;
  std::deque<GroupEnd> group_ends_;
  std::string window_;  // what the buffer holds from window_lsn_ on
  uint64_t window_lsn_ = 0;
};

}  // namespace

absl::StatusOr<BufferImage> BufferImage::Open(Env* env, const std::string& path) {
  BufferImage image;
  EMDB_ASSIGN_OR_RETURN(image.file_, env->OpenFile(path, OpenOptions{}));
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, image.file_->Size());
  const bool possible =
      std::has_single_bit(size) && size >= kSegmentBlockBytes && size <= kMaxBufferBytes;
  if (possible) image.size_ = size;
  return image;
}

absl::Status BufferImage::Read(uint64_t lsn, size_t size, char* to) const {
  if (size == 0) return absl::OkStatus();
  EMDB_CHECK(size <= size_);
  const uint64_t offset = lsn & (size_ - 1);
  const size_t first = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  EMDB_RETURN_IF_ERROR(ReadFully(*file_, offset, first, to));
  return first == size ? absl::OkStatus() : ReadFully(*file_, 0, size - first, to + first);
}

absl::StatusOr<std::string> BufferImage::Read(uint64_t lsn, size_t size) const {
  std::string bytes(size, '\0');
  EMDB_RETURN_IF_ERROR(Read(lsn, size, bytes.data()));
  return bytes;
}

absl::StatusOr<bool> ContinuesBehind(const Segment& closed, const BufferImage& buffer) {
  const SegmentState state = closed.state();
  const FramePlace end = {state.end_salt, state.end_lsn};
  EMDB_ASSIGN_OR_RETURN(const bool holds, HoldsSeq(buffer, state.end_seq, end));
  return holds ? true : HoldsSeq(buffer, state.end_seq, PlaceInNextSegment(end));
}

absl::StatusOr<TailScan> ScanTail(const Segment& last, const BufferImage& buffer,
                                  WalVisitor visit) {
  return Scanner(last, buffer, visit).Run();
}

}  // namespace emdb
