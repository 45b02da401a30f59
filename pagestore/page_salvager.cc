#include "pagestore/page_salvager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pagestore/header_slots.h"
#include "pagestore/node.h"
#include "pagestore/slice.h"
#include "pagestore/value_reader.h"
#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

// The shortest key behind `key`.
std::string Behind(std::string_view key) { return std::string(key).append(1, '\0'); }

}  // namespace

absl::StatusOr<std::unique_ptr<PageSalvager>> PageSalvager::Open(
    Env* env, const std::string& path, const std::optional<StoreId>& store_id) {
  std::unique_ptr<PageSalvager> salvager(new PageSalvager());
  EMDB_RETURN_IF_ERROR(salvager->FindHeader(env, path, store_id));
  return salvager;
}

absl::Status PageSalvager::FindHeader(Env* env, const std::string& path,
                                      const std::optional<StoreId>& store_id) {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, OpenStoreFile(env, path, OpenOptions{}));
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size == 0) return absl::NotFoundError(absl::StrCat(path, " is empty"));
  EMDB_ASSIGN_OR_RETURN(const HeaderSlots slots, ReadHeaderSlots(*file));
  for (const absl::Status& status : slots.status) {
    if (absl::IsFailedPrecondition(status)) return Annotate(status, path);
  }
  if (!slots.newest) {
    lost_.push_back({path, 0, "no header of the store is whole: its tree cannot be found"});
    lost_keys_.Add({});
    slot_is_lost_ = true;
    if (!store_id) {
      return CorruptionError(path, 0, "no header of the store is whole, and no log tells its id",
                             "nothing in it can be told from noise: restore a backup");
    }
    return FindPageSize(env, path, *store_id);
  }
  has_header_ = true;
  header_ = *slots.newest;
  slot_is_lost_ = !slots.status[0].ok() || !slots.status[1].ok();
  pages_ = size / header_.page_size;
  // Whatever the header says: a page behind the end of the file cannot be reached.
  reached_.resize(pages_);
  file_ = std::make_unique<PageFile>(std::move(file), header_.page_size, header_.store_id);
  return absl::OkStatus();
}

absl::Status PageSalvager::FindPageSize(Env* env, const std::string& path,
                                        const StoreId& store_id) {
  header_.store_id = store_id;
  for (uint32_t size = kMinPageSize; size <= kMaxPageSize; size *= 2) {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, OpenStoreFile(env, path, OpenOptions{}));
    EMDB_ASSIGN_OR_RETURN(const uint64_t bytes, file->Size());
    header_.page_size = size;
    pages_ = bytes / size;
    file_ = std::make_unique<PageFile>(std::move(file), size, store_id);
    bool found = false;
    EMDB_RETURN_IF_ERROR(ForEachLeaf([&found](const char*) {
      found = true;
      return false;
    }));
    if (!found) continue;
    reached_.resize(pages_);
    return absl::OkStatus();
  }
  return CorruptionError(path, 0, "no header of the store and no leaf is whole",
                         "nothing is left in it: restore a backup");
}

absl::Status PageSalvager::ReadTree(Visitor visit) {
  if (!has_header_ || header_.height == 0) return absl::OkStatus();
  return VisitNode(header_.root, header_.height - 1, {}, visit);
}

void PageSalvager::Lose(PageId id, const KeyRange& range, std::string_view what) {
  lost_keys_.Add(range);
  lost_.push_back({file_->path(), file_->OffsetOf(id), LostKeys(what, range)});
}

std::string PageSalvager::LostKeys(std::string_view what, const KeyRange& range) {
  return absl::StrCat(ToAbsl(what), ": keys from ", Shown(range.lower),
                      range.upper ? " to before " : " on", range.upper ? Shown(*range.upper) : "");
}

bool PageSalvager::ReadOnce(PageRef ref, uint32_t level, char* page) {
  const bool is_new = ref.id < reached_.size() && !reached_[ref.id];
  if (!is_new || !file_->ReadNode(ref, level, page).ok()) return false;
  reached_[ref.id] = true;
  return true;
}

absl::Status PageSalvager::VisitNode(PageRef ref, uint32_t level, const KeyRange& range,
                                     Visitor visit) {
  AlignedBuffer page(file_->page_size());
  if (!ReadOnce(ref, level, page.data())) {
    inner_page_is_lost_ |= level > 0;
    Lose(ref.id, range, level > 0 ? "an inner page and all below it" : "a leaf");
    return absl::OkStatus();
  }
  if (level == 0) return VisitLeaf(page.data(), visit);
  const SliceList slices(page.data());
  const size_t lost_before = lost_.size();
  for (uint32_t i = slices.size(); i-- > 0;) ReadSlice(slices.at(i), range);
  slices_are_whole_ = lost_.size() == lost_before;
  EMDB_RETURN_IF_ERROR(VisitChildren(page.data(), level, range, visit));
  return level == 1 ? VisitOverlay(range.upper, visit) : absl::OkStatus();
}

absl::Status PageSalvager::VisitChildren(const char* page, uint32_t level, const KeyRange& range,
                                         Visitor visit) {
  const InnerView node(page);
  KeyRange child = {range.lower, range.upper};
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    child.upper = i < node.separator_count() ? node.separator(i) : range.upper;
    EMDB_RETURN_IF_ERROR(VisitNode(node.child(i), level - 1, child, visit));
    child.lower = child.upper.value_or("");
  }
  return absl::OkStatus();
}

void PageSalvager::ReadSlice(const SliceRef& slice, const KeyRange& range) {
  AlignedBuffer root(file_->page_size());
  const auto lose = [&](PageId id) {
    // The older values that the tree has are taken; strays are not asked.
    lost_.push_back(
        {file_->path(), file_->OffsetOf(id), LostKeys("newer changes, in a slice", range)});
  };
  if (!ReadOnce(slice.root, kSliceHeight - 1, root.data())) return lose(slice.root.id);
  const InnerView node(root.data());
  AlignedBuffer page(file_->page_size());
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    if (!ReadOnce(node.child(i), 0, page.data())) {
      lose(node.child(i).id);
      continue;
    }
    const LeafView leaf(page.data());
    for (uint32_t k = 0; k < leaf.count(); ++k) {
      const LeafView::Cell cell = leaf.cell(k);
      overlay_[leaf.key(k)] = {cell.kind, std::string(cell.payload)};
    }
  }
}

absl::Status PageSalvager::VisitOverlay(const std::optional<std::string>& upper, Visitor visit) {
  while (!overlay_.empty() && (!upper || overlay_.begin()->first < *upper)) {
    const auto change = overlay_.extract(overlay_.begin());
    const bool amid_lost = slices_are_whole_ && lost_keys_.Contains(change.key());
    const size_t lost_before = lost_.size();
    if (change.mapped().kind != CellKind::kTombstone) {
      EMDB_RETURN_IF_ERROR(
          VisitCell(change.key(), change.mapped().kind, change.mapped().payload, visit));
    }
    if (amid_lost && lost_.size() == lost_before) known_keys_.insert(change.key());
  }
  return absl::OkStatus();
}

absl::Status PageSalvager::VisitLeaf(const char* page, Visitor visit) {
  const LeafView leaf(page);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const std::string key = leaf.key(i);
    EMDB_RETURN_IF_ERROR(VisitOverlay(key, visit));
    if (!overlay_.empty() && overlay_.begin()->first == key) continue;
    const LeafView::Cell cell = leaf.cell(i);
    EMDB_RETURN_IF_ERROR(VisitCell(key, cell.kind, cell.payload, visit));
  }
  return absl::OkStatus();
}

absl::Status PageSalvager::VisitCell(std::string_view key, CellKind kind, std::string_view payload,
                                     Visitor visit) {
  if (kind == CellKind::kTombstone) return visit(key, std::nullopt);
  if (kind == CellKind::kInline) return visit(key, payload);
  const ExtentRef extent = DecodeExtentRef(payload.data());
  std::string value;
  if (ReadValue(*file_, extent, &value).ok()) return visit(key, value);
  Lose(extent.first, {std::string(key), Behind(key)},
       absl::StrCat("a value of ", extent.size, " bytes"));
  return absl::OkStatus();
}

bool PageSalvager::IsLost(std::string_view key) const {
  return lost_keys_.Contains(key) && !known_keys_.contains(key);
}

absl::Status PageSalvager::ForEachLeaf(absl::FunctionRef<bool(const char* page)> visit) const {
  const uint32_t page_size = file_->page_size();
  const uint64_t piece_pages = kPieceBytes / page_size;
  AlignedBuffer piece(kPieceBytes);
  for (uint64_t first = kHeaderSlots; first < pages_; first += piece_pages) {
    const uint32_t count = static_cast<uint32_t>(std::min(piece_pages, pages_ - first));
    const bool in_one = file_->ReadRun({static_cast<PageId>(first), count}, piece.data()).ok();
    for (uint32_t i = 0; i < count; ++i) {
      const PageId id = static_cast<PageId>(first + i);
      char* const page = piece.data() + size_t{i} * page_size;
      // One bad sector does not take its neighbours along.
      if (!in_one && !file_->ReadRun({id, 1}, page).ok()) continue;
      if (IsWholeLeaf(id, page) && !visit(page)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

bool PageSalvager::IsWholeLeaf(PageId id, const char* page) const {
  const PageKind kind = PageKindField(page);
  return (kind == PageKind::kLeaf || kind == PageKind::kSliceLeaf) && PageIdField(page) == id &&
         file_->CheckNodePage({id, PageCrcField(page)}, 0, page).ok();
}

bool PageSalvager::MayBeUsed(PageId id) {
  if (!map_) return true;
  const uint32_t per_page = BitmapPages(file_->page_size());
  const uint32_t position = id / per_page;
  if (position >= map_->levels[0].size()) return false;
  if (bitmap_position_ != position) {
    absl::StatusOr<PageBitmap> bits = ReadBitmap(*file_, map_->levels[0][position], position);
    bitmap_.reset();
    if (bits.ok()) bitmap_ = *std::move(bits);
    bitmap_position_ = position;
  }
  return !bitmap_ || bitmap_->Test(id % per_page);
}

absl::StatusOr<std::vector<PageSalvager::Stray>> PageSalvager::FindStrays() {
  if (has_header_) {
    absl::StatusOr<FreeMap> map = ReadFreeMap(*file_, header_);
    if (map.ok()) map_ = *std::move(map);
  }
  std::vector<Stray> strays;
  EMDB_RETURN_IF_ERROR(ForEachLeaf([&](const char* page) {
    const Stray stray = {DecodePageHeader(page).generation, PageIdField(page)};
    const bool is_newer = stray.generation > header_.generation;
    const bool counts = !has_header_ || (is_newer ? slot_is_lost_ : MayBeUsed(stray.id));
    if (counts && !reached_[stray.id]) strays.push_back(stray);
    return true;
  }));
  std::sort(strays.begin(), strays.end(), [](const Stray& a, const Stray& b) {
    return a.generation != b.generation ? a.generation < b.generation : a.id < b.id;
  });
  return strays;
}

absl::StatusOr<bool> PageSalvager::VisitStray(const char* page, bool all_keys, Visitor visit) {
  bool any = false;
  const auto give = [&](std::string_view key, std::optional<std::string_view> value) {
    any = true;
    return visit(key, value);
  };
  const LeafView leaf(page);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const std::string key = leaf.key(i);
    // Before its value is read: the pages of one that the tree has newer may be used otherwise, and
    // nothing is lost then.
    if (!all_keys && !IsLost(key)) continue;
    const LeafView::Cell cell = leaf.cell(i);
    EMDB_RETURN_IF_ERROR(VisitCell(key, cell.kind, cell.payload, give));
  }
  return any;
}

absl::StatusOr<uint64_t> PageSalvager::ReadStrays(Visitor visit) {
  if (!inner_page_is_lost_ && !slot_is_lost_) return 0;
  EMDB_ASSIGN_OR_RETURN(const std::vector<Stray> strays, FindStrays());
  AlignedBuffer page(file_->page_size());
  uint64_t pages = 0;
  for (const Stray& stray : strays) {
    // It was whole a moment ago; a disk that fails may think otherwise now.
    if (!file_->ReadRun({stray.id, 1}, page.data()).ok() || !IsWholeLeaf(stray.id, page.data())) {
      continue;
    }
    const bool is_newer = has_header_ && stray.generation > header_.generation;
    EMDB_ASSIGN_OR_RETURN(const bool any, VisitStray(page.data(), is_newer, visit));
    pages += any ? 1 : 0;
  }
  return pages;
}

}  // namespace emdb
