#include "pagestore/page_store.h"

#include <utility>

#include "pagestore/buffered_cursor.h"
#include "pagestore/page_store_impl.h"
#include "pagestore/tree_cursor.h"
#include "pagestore/tree_reader.h"
#include "pagestore/view_state.h"
#include "storage/status.h"

namespace emdb {

static_assert(PageStore::kMaxKeyBytes == kMaxKeySize);
static_assert(PageStore::kMaxValueBytes == kMaxValueSize);

View::View(std::shared_ptr<const ViewState> state) : state_(std::move(state)) {}

uint64_t View::generation() const { return state_->header().generation; }
uint64_t View::next_seq() const { return state_->header().next_seq; }
uint64_t View::record_count() const { return state_->header().records; }

absl::Status View::Get(std::string_view key, std::string* value) const {
  return GetFromTree(state_->tree(), key, value);
}

absl::Status View::Get(std::string_view key, PinnedValue* value) const {
  return GetFromTree(state_->tree(), key, value);
}

void View::MultiGet(absl::Span<const std::string_view> keys, absl::Span<std::string> values,
                    absl::Span<absl::Status> statuses) const {
  MultiGetFromTree(state_->tree(), keys, values, statuses);
}

std::unique_ptr<Cursor> View::NewCursor() const {
  if (state_->header().slice_pages > 0) return std::make_unique<BufferedCursor>(state_->tree());
  return std::make_unique<TreeCursor>(state_->tree());
}

absl::StatusOr<std::unique_ptr<PageStore>> PageStore::Open(const std::string& path,
                                                           const PageStoreOptions& options) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<PageStoreImpl> impl, PageStoreImpl::Open(path, options));
  return std::unique_ptr<PageStore>(new PageStore(std::move(impl)));
}

PageStore::PageStore(std::unique_ptr<PageStoreImpl> impl) : impl_(std::move(impl)) {}

PageStore::~PageStore() {
  // Everything was durable when Checkpoint returned: there is nothing left to lose.
  impl_->Close().IgnoreError();
}

uint64_t PageStore::next_seq() const { return impl_->current()->header().next_seq; }
uint64_t PageStore::fallback_next_seq() const { return impl_->fallback_next_seq(); }
const StoreId& PageStore::store_id() const { return impl_->store_id(); }
const std::string& PageStore::path() const { return impl_->path(); }

View PageStore::GetView() const { return View(impl_->current()); }

absl::Status PageStore::Checkpoint(uint64_t next_seq, ChangeSource* changes,
                                   const std::function<void(uint64_t)>& progress) {
  return impl_->Checkpoint(next_seq, changes, progress);
}

absl::Status PageStore::Load(ChangeSource* changes) { return impl_->Load(changes); }

absl::Status PageStore::EnsureDurable() { return impl_->EnsureDurable(); }

absl::Status PageStore::Compact(const std::function<void()>& on_generation) {
  return impl_->Compact(on_generation);
}

absl::StatusOr<bool> PageStore::Tidy() { return impl_->Tidy(); }

void PageStore::YieldDisk(std::function<bool()> is_wanted) {
  impl_->YieldDisk(std::move(is_wanted));
}

absl::Status PageStore::Verify(const std::function<void(uint64_t, uint64_t)>& progress) {
  return impl_->Verify(progress);
}

absl::StatusOr<std::string> PageStore::DescribePage(uint64_t id) { return impl_->DescribePage(id); }

PageStoreStats PageStore::stats() const { return impl_->stats(); }

absl::Status PageStore::Close() { return impl_->Close(); }

}  // namespace emdb
