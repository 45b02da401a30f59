#include "pagestore/read_ahead.h"

#include <algorithm>
#include <utility>

#include "storage/status.h"

namespace emdb {

absl::Status ReadAhead::FillWith(std::vector<PageId> ids) {
  std::vector<PageRun> runs;
  for (const PageId id : ids) AppendRun({id, 1}, &runs);
  held_.clear();
  EMDB_RETURN_IF_ERROR(file_->ReadRuns(runs, buffer_.data()));
  held_ = std::move(ids);
  return absl::OkStatus();
}

absl::Status ReadAhead::Fill(absl::Span<const PageRef> refs) {
  if (buffer_.size() == 0) buffer_ = AlignedBuffer(size_t{max_pages_} * file_->page_size());
  std::vector<PageId> ids;
  for (const PageRef& ref : refs.subspan(0, window_)) ids.push_back(ref.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const size_t count = ids.size();
  absl::Status status = FillWith(std::move(ids));
  if (status.ok()) {
    window_ = std::min(window_ * 2, max_pages_);
  } else if (count > 1) {
    // The error may be another page's, which may never be wanted.
    window_ = 1;
    status = FillWith({refs[0].id});
  }
  return status;
}

absl::StatusOr<const char*> ReadAhead::Read(absl::Span<const PageRef> refs, uint32_t level) {
  const auto find = [&] { return std::lower_bound(held_.begin(), held_.end(), refs[0].id); };
  auto at = find();
  if (at == held_.end() || *at != refs[0].id) {
    EMDB_RETURN_IF_ERROR(Fill(refs));
    at = find();
  }
  const char* page = buffer_.data() + static_cast<size_t>(at - held_.begin()) * file_->page_size();
  EMDB_RETURN_IF_ERROR(file_->CheckNodePage(refs[0], level, page));
  return page;
}

}  // namespace emdb
