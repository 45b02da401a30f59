#include "wal/segment_chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/coding.h"
#include "storage/status.h"

namespace emdb {
namespace {

using Segments = std::deque<std::shared_ptr<Segment>>;

absl::Status CheckStore(const Segment& segment, const StoreId& expected) {
  const StoreId& found = segment.header().store_id;
  if (found == expected) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      segment.path(), ": the log belongs to store ", StoreIdToString(found), ", expected ",
      StoreIdToString(expected), ": put the file back beside the store that it belongs to"));
}

absl::StatusOr<Segments> OpenAll(LogFiles* files, const LogFiles::Listing& listing,
                                 Segment::Access access) {
  Segments segments;
  for (const uint64_t first_seq : listing.sealed) {
    const std::string path = files->SealedPath(first_seq);
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment,
                          Segment::Open(files->env(), path, access));
    if (segment->header().first_seq != first_seq) {
      return CorruptionError(
          path, 0,
          absl::StrCat("the segment starts with seq ", segment->header().first_seq,
                       ", its name says ", first_seq),
          kDamagedLogAdvice);
    }
    segments.push_back(std::move(segment));
  }
  if (listing.has_active) {
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> active,
                          Segment::Open(files->env(), files->ActivePath(), access));
    segments.push_back(std::move(active));
  }
  return segments;
}

absl::Status CheckFollows(const Segment& next, const Segment& old) {
  const SegmentHeader& a = old.header();
  const SegmentHeader& b = next.header();
  if (b.number == a.number) {
    return CorruptionError(next.path(), 0,
                           absl::StrCat("segment ", b.number, " is here and in ", old.path()),
                           "remove the file that is a copy");
  }
  // A segment without records is replaced, not followed; two with one first seq would get one name.
  const bool follows = b.number == a.number + 1 && b.prev_salt == a.salt &&
                       b.prev_end_lsn >= a.base_lsn && b.prev_end_lsn <= a.end_lsn() &&
                       b.first_seq > a.first_seq;
  if (follows) return absl::OkStatus();
  return CorruptionError(
      next.path(), 0,
      absl::StrCat("segment ", b.number, ", from seq ", b.first_seq, ", does not follow segment ",
                   a.number, " in ", old.path(), ": what was between them is missing"),
      kDamagedLogAdvice);
}

// The position of the segment that the log starts with.
absl::StatusOr<size_t> FindFirst(const Segments& segments) {
  for (size_t i = segments.size(); i-- > 0;) {
    if (segments[i]->state().is_first) return i;
  }
  const Segment& oldest = *segments.front();
  return CorruptionError(
      oldest.path(), 0,
      absl::StrCat("the oldest segment, from seq ", oldest.header().first_seq,
                   ", is not the first of the log: what was before it is missing"),
      kDamagedLogAdvice);
}

absl::Status CheckLast(const Segment& last, bool has_active, const std::string& active_path) {
  const bool is_active = last.path() == active_path;
  if (has_active && !is_active) {
    return CorruptionError(active_path, 0,
                           absl::StrCat("it is older than the sealed segment ", last.path()),
                           kDamagedLogAdvice);
  }
  if (last.state().mark != SegmentMark::kSealed) return absl::OkStatus();
  return CorruptionError(last.path(), 0,
                         absl::StrCat("the segment is sealed at seq ", last.state().end_seq,
                                      ", but the one behind it is missing"),
                         kDamagedLogAdvice);
}

}  // namespace

uint64_t RandomSalt(Env* env) {
  char salt[8];
  env->FillRandom(salt, sizeof(salt));
  return Load64(salt);
}

SegmentHeader HeaderAfter(const SegmentHeader& old, const SegmentEnd& end, uint64_t salt,
                          uint64_t capacity_bytes) {
  SegmentHeader next = old;
  next.salt = salt;
  next.base_lsn = RoundUpToBlock(end.lsn);
  next.capacity_bytes = capacity_bytes;
  next.first_seq = end.seq;
  if (end.seq == old.first_seq) return next;
  next.number = old.number + 1;
  next.prev_salt = old.salt;
  next.prev_end_lsn = end.lsn;
  return next;
}

absl::Status InstallSegment(LogFiles* files, Segment* old, Segment* next) {
  const SegmentHeader& header = next->header();
  const bool seals = old != nullptr && !Replaces(header, old->header());
  if (seals && old->path() == files->ActivePath()) {
    const std::string sealed_path = files->SealedPath(old->header().first_seq);
    EMDB_RETURN_IF_ERROR(files->Rename(files->ActivePath(), sealed_path));
    old->set_path(sealed_path);
    // Before the next rename: if only that one reached the disk, the old segment would be gone.
    EMDB_RETURN_IF_ERROR(files->SyncDirectory());
  }
  EMDB_RETURN_IF_ERROR(files->Rename(next->path(), files->ActivePath()));
  next->set_path(files->ActivePath());
  // Before anything in the new segment is acknowledged.
  EMDB_RETURN_IF_ERROR(files->SyncDirectory());
  if (seals) {
    // It only helps to notice that the segment behind is missing: not worth a sync, nor to fail
    // for.
    old->ChangeState([&header](SegmentState* state) {
         state->mark = SegmentMark::kSealed;
         state->end_lsn = header.prev_end_lsn;
         state->end_seq = header.first_seq;
         state->end_salt = 0;
       })
        .IgnoreError();
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentChain> OpenChain(LogFiles* files, const LogFiles::Listing& listing,
                                       Segment::Access access,
                                       const std::optional<StoreId>& store_id) {
  SegmentChain chain;
  EMDB_ASSIGN_OR_RETURN(chain.segments, OpenAll(files, listing, access));
  Segments& segments = chain.segments;
  for (const std::shared_ptr<Segment>& segment : segments) {
    EMDB_RETURN_IF_ERROR(
        CheckStore(*segment, store_id.value_or(segments.back()->header().store_id)));
  }
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a->header().number < b->header().number; });
  EMDB_RETURN_IF_ERROR(CheckLast(*segments.back(), listing.has_active, files->ActivePath()));
  EMDB_ASSIGN_OR_RETURN(const size_t first, FindFirst(segments));
  for (size_t i = first + 1; i < segments.size(); ++i) {
    EMDB_RETURN_IF_ERROR(CheckFollows(*segments[i], *segments[i - 1]));
  }
  for (size_t i = 0; i < first; ++i) {
    chain.superseded.push_back(segments.front()->path());
    segments.pop_front();
  }
  return chain;
}

}  // namespace emdb
