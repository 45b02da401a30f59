#include "pagestore/read_ahead.h"

#include <algorithm>

#include "storage/status.h"

namespace emdb {

PageRun ReadAhead::RunOf(absl::Span<const PageRef> refs) const {
  const size_t limit = std::min<size_t>(refs.size(), window_);
  const uint64_t first = refs[0].id;
  uint32_t up = 1;
  while (up < limit && refs[up].id == first + up) ++up;
  if (up > 1) return {refs[0].id, up};
  uint32_t down = 1;
  while (down < limit && uint64_t{refs[down].id} + down == first) ++down;
  return {refs[down - 1].id, down};
}

absl::Status ReadAhead::Fill(absl::Span<const PageRef> refs) {
  if (buffer_.size() == 0) buffer_ = AlignedBuffer(size_t{max_pages_} * file_->page_size());
  PageRun run = RunOf(refs);
  held_ = {};
  absl::Status status = file_->ReadRun(run, buffer_.data());
  if (status.ok()) {
    window_ = std::min(window_ * 2, max_pages_);
  } else if (run.count > 1) {
    // The error may be another page's, which may never be wanted.
    run = {refs[0].id, 1};
    window_ = 1;
    status = file_->ReadRun(run, buffer_.data());
  }
  if (status.ok()) held_ = run;
  return status;
}

absl::StatusOr<const char*> ReadAhead::Read(absl::Span<const PageRef> refs, uint32_t level) {
  const PageId wanted = refs[0].id;
  if (wanted < held_.first || wanted >= held_.end()) EMDB_RETURN_IF_ERROR(Fill(refs));
  const char* page = buffer_.data() + size_t{wanted - held_.first} * file_->page_size();
  EMDB_RETURN_IF_ERROR(file_->CheckNodePage(refs[0], level, page));
  return page;
}

}  // namespace emdb
