#include "pagestore/page_store_impl.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pagestore/describe.h"
#include "pagestore/header_slots.h"
#include "pagestore/no_changes.h"
#include "pagestore/verify.h"
#include "storage/posix_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

// What an idle store folds at a time: some tenths of a second, in which no checkpoint runs. On a
// full disk less, by this factor at each failure: what a small step frees makes room for a larger
// one.
constexpr uint64_t kFoldStepBytes = uint64_t{64} << 20;
constexpr uint64_t kSmallerStep = 8;

// Where the disk was full, so many generations save space; then one may find out whether it is
// still.
constexpr uint64_t kShortGenerations = 16;

// Beyond this height a tree's inner nodes are packed. Separators of half a page let a node have two
// children only: packed, these make a tree of log2(pages) levels, but one that is split at its edge
// over and over gets a level higher each time. What one checkpoint may add to it stays below
// kMaxHeight.
uint32_t UsualHeight(const StoreHeader& header) {
  constexpr uint32_t kSpare = 4;
  constexpr uint32_t kMost = 34;
  const auto levels = static_cast<uint32_t>(std::bit_width(header.used_pages));
  return std::min(levels + kSpare, kMost);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageStoreImpl>> PageStoreImpl::Open(const std::string& path,
                                                                   PageStoreOptions options) {
  if (options.env == nullptr) options.env = PosixEnv();
  EMDB_ASSIGN_OR_RETURN(OpenedStore store, OpenStore(path, options));
  EMDB_ASSIGN_OR_RETURN(FrameArena frames,
                        FrameArena::Create(options.cache_size_bytes, store.header.page_size));
  return std::unique_ptr<PageStoreImpl>(
      new PageStoreImpl(std::move(store), std::move(frames), options));
}

PageStoreImpl::PageStoreImpl(OpenedStore store, FrameArena frames, const PageStoreOptions& options)
    : store_id_(store.header.store_id),
      env_(options.env),
      read_only_(options.read_only),
      slices_above_bytes_(options.slices_above_bytes.value_or(options.cache_size_bytes)),
      own_epoch_(options.epoch == nullptr ? std::make_unique<Epoch>() : nullptr),
      file_(std::move(store.file), store.header.page_size, store_id_),
      cache_(&file_, std::move(frames),
             options.epoch == nullptr ? own_epoch_.get() : options.epoch),
      registry_(std::make_shared<GenerationRegistry>()),
      free_space_(&file_),
      header_(store.header),
      header_is_durable_(store.is_new),
      fold_pages_(kFoldStepBytes / file_.page_size()),
      fallback_next_seq_(store.fallback_next_seq) {
  free_space_.Reset(header_);
  current_ = std::make_shared<const ViewState>(TreeOf(header_), header_, registry_);
  counts_.free_pages = header_.file_pages - header_.used_pages;
}

Tree PageStoreImpl::TreeOf(const StoreHeader& header) {
  return {&file_, &cache_, header.root, header.height};
}

std::shared_ptr<const ViewState> PageStoreImpl::current() const {
  MutexLock lock(&state_mutex_);
  return current_;
}

uint64_t PageStoreImpl::fallback_next_seq() const {
  MutexLock lock(&state_mutex_);
  return fallback_next_seq_;
}

absl::Status PageStoreImpl::CheckWritable() const {
  if (closed_) return absl::FailedPreconditionError(absl::StrCat(path(), " has been closed"));
  if (read_only_) {
    return absl::FailedPreconditionError(absl::StrCat(path(), " is open for reading only"));
  }
  if (poison_.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path(),
      " takes no more checkpoints until it is opened again, because of: ", poison_.message()));
}

absl::Status PageStoreImpl::Poison(const absl::Status& cause) {
  poison_ = cause;
  return cause;
}

absl::Status PageStoreImpl::Checkpoint(uint64_t next_seq, ChangeSource* changes,
                                       const TreeWriter::Progress& progress) {
  MutexLock lock(&writer_mutex_);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  if (next_seq < header_.next_seq) {
    return absl::InvalidArgumentError(
        absl::StrCat("next_seq ", next_seq, " is below that of ", path(), ", ", header_.next_seq));
  }
  return WriteGeneration(next_seq,
                         [&](TreeWriter* writer) { return writer->Merge(changes, progress); },
                         {.source = changes});
}

absl::Status PageStoreImpl::Load(ChangeSource* changes) {
  MutexLock lock(&writer_mutex_);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  return WriteGeneration(header_.next_seq,
                         [&](TreeWriter* writer) { return writer->Merge(changes, nullptr); },
                         {.source = changes, .in_both_slots = true});
}

absl::Status PageStoreImpl::Compact(const std::function<void()>& on_generation) {
  MutexLock lock(&writer_mutex_);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  const auto write = [&](const MakeTree& make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_) {
    EMDB_RETURN_IF_ERROR(WriteGeneration(header_.next_seq, make, {}));
    if (on_generation) on_generation();
    return absl::OkStatus();
  };
  if (header_.slice_pages > 0) {
    std::string start;
    EMDB_RETURN_IF_ERROR(Fold(UINT64_MAX, &start));
    if (on_generation) on_generation();
  }
  // First behind everything, which leaves all in front of it free, and from there to the front.
  EMDB_RETURN_IF_ERROR(write([this](TreeWriter* writer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                                 writer_mutex_) -> absl::StatusOr<TreeBuilder::Root> {
    EMDB_RETURN_IF_ERROR(free_space_.SearchFromEnd());
    return writer->Rewrite();
  }));
  Reclaim();
  // Unless a View still reads the old tree there: then the space comes back later.
  if (free_space_.pending_pages() == 0) {
    EMDB_RETURN_IF_ERROR(write([](TreeWriter* writer) { return writer->Rewrite(); }));
  }
  // What the last generation freed at the end of the file is given back by the next one.
  NoChanges none;
  return write([&none](TreeWriter* writer) { return writer->Merge(&none, nullptr); });
}

absl::StatusOr<bool> PageStoreImpl::Tidy() {
  MutexLock lock(&writer_mutex_);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  if (header_.slice_pages > 0) {
    EMDB_RETURN_IF_ERROR(FoldStep());
    return true;
  }
  Reclaim();
  if (!free_space_.HasSpaceToGiveBack()) return false;
  const PageRef root_before = header_.root;
  const uint32_t pages_before = header_.file_pages;
  NoChanges none;
  shrink_ = FreeSpace::Shrink::kWhenIdle;
  const absl::Status status = WriteGeneration(
      header_.next_seq, [&none](TreeWriter* writer) { return writer->Merge(&none, nullptr); }, {});
  shrink_ = FreeSpace::Shrink::kWhenHalfIsFree;
  EMDB_RETURN_IF_ERROR(status);
  // What a step moves away, the next one cuts off: unless a View still reads it, or what could not
  // be moved stands behind it.
  const bool got_shorter = header_.file_pages < pages_before;
  const bool moved = header_.root != root_before;
  const bool more = got_shorter || (moved && !tidy_is_waiting_);
  tidy_is_waiting_ = moved && !got_shorter;
  return more;
}

absl::Status PageStoreImpl::FoldStep() {
  for (;;) {
    std::string next = fold_next_;
    absl::Status status = Fold(fold_pages_, &next);
    if (status.ok()) {
      fold_next_ = std::move(next);
      fold_pages_ = std::min(fold_pages_ * 2, kFoldStepBytes / file_.page_size());
      return status;
    }
    // Not behind a header whose write failed.
    const bool can_go_on = absl::IsResourceExhausted(status) && poison_.ok();
    if (!can_go_on || fold_pages_ == 1) return status;
    fold_pages_ = std::max<uint64_t>(fold_pages_ / kSmallerStep, 1);
  }
}

absl::Status PageStoreImpl::Fold(uint64_t pages, std::string* from) {
  // Moves nothing: to find what stands at the end of the file, each step would read all inner
  // nodes.
  const std::optional<FreeSpace::Shrink> shrink = std::exchange(shrink_, std::nullopt);
  absl::Status status = WriteGeneration(
      header_.next_seq, [&](TreeWriter* writer) { return writer->Fold(pages, from); }, {});
  shrink_ = shrink;
  return status;
}

void PageStoreImpl::Reclaim() {
  cache_.Erase(free_space_.Reclaim(registry_->Oldest(header_.generation)));
}

void PageStoreImpl::YieldDisk(std::function<bool()> is_wanted) {
  MutexLock lock(&writer_mutex_);
  disk_is_wanted_ = std::move(is_wanted);
}

absl::Status PageStoreImpl::EnsureDurable() {
  // Without the lock, which a load or a verification may hold for long. Acquire: the sync is over.
  if (header_is_durable_.load(std::memory_order_acquire)) return absl::OkStatus();
  MutexLock lock(&writer_mutex_);
  EMDB_RETURN_IF_ERROR(CheckWritable());
  return ConfirmFound();
}

absl::Status PageStoreImpl::ConfirmFound() {
  if (header_is_durable_.load(std::memory_order_relaxed)) return absl::OkStatus();
  if (absl::Status s = ConfirmHeader(env_, file_.file(), header_); !s.ok()) return Poison(s);
  header_is_durable_.store(true, std::memory_order_release);
  MutexLock lock(&state_mutex_);
  fallback_next_seq_ = header_.next_seq;
  return absl::OkStatus();
}

absl::Status PageStoreImpl::WriteGeneration(uint64_t next_seq, const MakeTree& make,
                                            const Writing& writing) {
  // Before anything is written to pages that the generation before this one may use.
  EMDB_RETURN_IF_ERROR(ConfirmFound());
  Reclaim();
  StoreHeader header = header_;
  ++header.generation;
  header.next_seq = next_seq;
  std::optional<PageWriter> writer(std::in_place, &file_, &free_space_, &cache_, disk_is_wanted_);
  absl::Status status = WritePages(make, &*writer, &header);
  if (!status.ok()) {
    // Nothing refers to what was written, so the durable generation is all there is.
    const bool by_source = writing.source != nullptr && !writing.source->status().ok();
    if (absl::IsResourceExhausted(status) && !by_source) {
      free_space_.set_is_short(true);
      short_until_ = header.generation + kShortGenerations;
    }
    free_space_.Reset(header_);
    cache_.Erase(writer->placed());
    // When nothing is being written any more: on a full disk others need what the attempt has
    // taken.
    writer.reset();
    GiveBackEnd();
    return status;
  }
  EMDB_RETURN_IF_ERROR(MakeDurable(header));
  if (writing.in_both_slots && header.root != header_.root) {
    ++header.generation;
    EMDB_RETURN_IF_ERROR(MakeHeaderDurable(header));
  }
  // The pages that only older generations use are the first to leave the cache.
  cache_.Demote(free_space_.freed());
  free_space_.Commit(header.generation);
  const bool half_is_free = free_space_.free_pages() > header.used_pages;
  if (half_is_free || header.generation >= short_until_) free_space_.set_is_short(false);
  Publish(header, writer->pages_written());
  GiveBackEnd();
  return absl::OkStatus();
}

absl::Status PageStoreImpl::WritePages(const MakeTree& make, PageWriter* writer,
                                       StoreHeader* header) {
  EMDB_ASSIGN_OR_RETURN(const PageId move_from, EndToMove());
  const uint64_t bytes = header_.key_bytes + header_.value_bytes;
  TreeWriter tree_writer(
      TreeOf(header_), {.free_space = &free_space_,
                        .writer = writer,
                        .generation = header->generation,
                        .move_from = move_from,
                        .record_bytes = bytes / std::max<uint64_t>(header_.records, 1),
                        .may_add_slices = file_.OffsetOf(header_.used_pages) > slices_above_bytes_,
                        .saves_space = free_space_.is_short(),
                        .packs_inner_nodes = header_.height > UsualHeight(header_)});
  EMDB_ASSIGN_OR_RETURN(const TreeBuilder::Root root, make(&tree_writer));
  if (root.height > kMaxHeight) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path(), ": the tree would have ", root.height, " levels; at most ", kMaxHeight,
                     " are possible, which keys of thousands of bytes can come to"));
  }
  const TreeWriter::Difference& difference = tree_writer.difference();
  header->root = root.ref;
  header->height = root.height;
  header->records += static_cast<uint64_t>(difference.records);
  header->key_bytes += static_cast<uint64_t>(difference.key_bytes);
  header->value_bytes += static_cast<uint64_t>(difference.value_bytes);
  header->slice_pages += static_cast<uint32_t>(difference.slice_pages);
  header->slice_records += static_cast<uint64_t>(difference.slice_records);
  EMDB_RETURN_IF_ERROR(free_space_.WriteMap(header, move_from));
  NoteMove(move_from, *header);
  return absl::OkStatus();
}

absl::StatusOr<PageId> PageStoreImpl::EndToMove() {
  if (!shrink_) return UINT32_MAX;
  if (shrink_ == FreeSpace::Shrink::kWhenHalfIsFree && stuck_from_ != UINT32_MAX) return UINT32_MAX;
  return free_space_.EndToMove(*shrink_);
}

void PageStoreImpl::NoteMove(PageId move_from, const StoreHeader& header) {
  if (move_from != UINT32_MAX) stuck_from_ = move_from;
  const std::vector<PageRun>& freed = free_space_.freed();
  const bool some_went = std::any_of(
      freed.begin(), freed.end(), [from = stuck_from_](PageRun run) { return run.end() > from; });
  if (some_went || header.file_pages != header_.file_pages) stuck_from_ = UINT32_MAX;
}

absl::Status PageStoreImpl::MakeDurable(const StoreHeader& header) {
  // Sync before the header is written: a header on disk must find all of its pages there.
  if (absl::Status s = file_.Sync(); !s.ok()) return Poison(s);
  return MakeHeaderDurable(header);
}

absl::Status PageStoreImpl::MakeHeaderDurable(const StoreHeader& header) {
  if (absl::Status s = WriteHeader(file_.file(), header); !s.ok()) return Poison(s);
  // Sync again: only now may the log be cut and freed pages be written to.
  if (absl::Status s = file_.Sync(); !s.ok()) return Poison(s);
  return absl::OkStatus();
}

void PageStoreImpl::Publish(const StoreHeader& header, uint64_t pages_written) {
  header_ = header;
  std::shared_ptr<const ViewState> state =
      std::make_shared<const ViewState>(TreeOf(header), header, registry_);
  MutexLock lock(&state_mutex_);
  // The old state goes with `state`, after the lock.
  current_.swap(state);
  fallback_next_seq_ = header.next_seq;
  ++counts_.checkpoints;
  counts_.pages_written += pages_written;
  counts_.free_pages = free_space_.free_pages();
  counts_.pending_pages = free_space_.pending_pages();
}

void PageStoreImpl::GiveBackEnd() {
  const absl::StatusOr<uint64_t> size = file_.Size();
  if (!size.ok() || *size <= file_.OffsetOf(header_.file_pages)) return;
  // An error leaves the file longer than it need be and nothing else: the next checkpoint tries
  // again.
  file_.Truncate(header_.file_pages).IgnoreError();
}

absl::Status PageStoreImpl::Verify(const std::function<void(uint64_t, uint64_t)>& progress) {
  MutexLock lock(&writer_mutex_);
  if (closed_) return absl::FailedPreconditionError(absl::StrCat(path(), " has been closed"));
  // A header of which nobody knows whether it is on disk may stand in the file.
  if (!poison_.ok()) return CheckWritable();
  // What a power cut has left of the slots is put right before it is taken for damage.
  if (!read_only_) EMDB_RETURN_IF_ERROR(ConfirmFound());
  return VerifyStore(file_, header_, progress);
}

absl::StatusOr<std::string> PageStoreImpl::DescribePage(uint64_t id) {
  if (id > UINT32_MAX) return absl::OutOfRangeError(absl::StrCat("no page has the number ", id));
  return emdb::DescribePage(file_, static_cast<PageId>(id));
}

PageStoreStats PageStoreImpl::stats() const {
  PageStoreStats stats;
  {
    MutexLock lock(&state_mutex_);
    const StoreHeader& header = current_->header();
    stats.generation = header.generation;
    stats.next_seq = header.next_seq;
    stats.records = header.records;
    stats.slice_records = header.slice_records;
    stats.slice_pages = header.slice_pages;
    stats.height = header.height;
    stats.file_pages = header.file_pages;
    stats.live_pages = header.used_pages;
    stats.free_pages = counts_.free_pages;
    stats.pending_pages = counts_.pending_pages;
    stats.checkpoints = counts_.checkpoints;
    stats.pages_written = counts_.pages_written;
  }
  stats.page_size_bytes = file_.page_size();
  const PageCache::Stats cache = cache_.stats();
  stats.cache_bytes = cache.used_bytes;
  stats.cache_capacity_bytes = cache.capacity_bytes;
  stats.cache_hits = cache.hits;
  stats.cache_misses = cache.misses;
  stats.cache_evictions = cache.evictions;
  const PageFile::Counters& counters = file_.counters();
  stats.bytes_written = counters.bytes_written.load(std::memory_order_relaxed);
  stats.bytes_read = counters.bytes_read.load(std::memory_order_relaxed);
  stats.syncs = counters.syncs.load(std::memory_order_relaxed);
  return stats;
}

absl::Status PageStoreImpl::Close() {
  MutexLock lock(&writer_mutex_);
  if (closed_) return absl::OkStatus();
  closed_ = true;
  return file_.Close();
}

}  // namespace emdb
