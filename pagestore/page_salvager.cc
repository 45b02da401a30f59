#include "pagestore/page_salvager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pagestore/header_slots.h"
#include "pagestore/node.h"
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
    lost_ranges_.push_back({});
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
  reached_.resize(std::max<uint64_t>(pages_, header_.file_pages));
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
  lost_ranges_.push_back(range);
  lost_.push_back(
      {file_->path(), file_->OffsetOf(id),
       absl::StrCat(ToAbsl(what), ": keys from ", Shown(range.lower),
                    range.upper ? " to before " : " on", range.upper ? Shown(*range.upper) : "")});
}

absl::Status PageSalvager::VisitNode(PageRef ref, uint32_t level, const KeyRange& range,
                                     Visitor visit) {
  AlignedBuffer page(file_->page_size());
  const bool is_new = ref.id < reached_.size() && !reached_[ref.id];
  if (!is_new || !file_->ReadNode(ref, level, page.data()).ok()) {
    inner_page_is_lost_ |= level > 0;
    Lose(ref.id, range, level > 0 ? "an inner page and all below it" : "a leaf");
    return absl::OkStatus();
  }
  reached_[ref.id] = true;
  if (level == 0) return VisitLeaf(page.data(), visit);
  const InnerView node(page.data());
  KeyRange child = {range.lower, range.upper};
  for (uint32_t i = 0; i < node.child_count(); ++i) {
    child.upper = i < node.separator_count() ? node.separator(i) : range.upper;
    EMDB_RETURN_IF_ERROR(VisitNode(node.child(i), level - 1, child, visit));
    child.lower = child.upper.value_or("");
  }
  return absl::OkStatus();
}

absl::Status PageSalvager::VisitLeaf(const char* page, Visitor visit) {
  const LeafView leaf(page);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    EMDB_RETURN_IF_ERROR(VisitCell(leaf.key(i), page, i, visit));
  }
  return absl::OkStatus();
}

absl::Status PageSalvager::VisitCell(std::string_view key, const char* page, uint32_t index,
                                     Visitor visit) {
  const LeafView::Cell cell = LeafView(page).cell(index);
  if (cell.kind == CellKind::kInline) return visit(key, cell.payload);
  const ExtentRef extent = DecodeExtentRef(cell.payload.data());
  std::string value;
  if (ReadValue(*file_, extent, &value).ok()) return visit(key, value);
  Lose(extent.first, {std::string(key), Behind(key)},
       absl::StrCat("a value of ", extent.size, " bytes"));
  return absl::OkStatus();
}

bool PageSalvager::IsLost(std::string_view key) const {
  const auto behind =
      std::upper_bound(lost_ranges_.begin(), lost_ranges_.end(), key,
                       [](std::string_view k, const KeyRange& range) { return k < range.lower; });
  if (behind == lost_ranges_.begin()) return false;
  const KeyRange& range = *std::prev(behind);
  return !range.upper || key < *range.upper;
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
  return PageKindField(page) == PageKind::kLeaf && PageIdField(page) == id &&
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

absl::StatusOr<uint64_t> PageSalvager::ReadStrays(Visitor visit) {
  if (!inner_page_is_lost_ && !slot_is_lost_) return 0;
  reads_strays_ = true;
  EMDB_ASSIGN_OR_RETURN(const std::vector<Stray> strays, FindStrays());
  AlignedBuffer page(file_->page_size());
  uint64_t pages = 0;
  for (const Stray& stray : strays) {
    // It was whole a moment ago; a disk that fails may think otherwise now.
    if (!file_->ReadRun({stray.id, 1}, page.data()).ok() || !IsWholeLeaf(stray.id, page.data())) {
      continue;
    }
    const bool is_newer = has_header_ && stray.generation > header_.generation;
    bool any = false;
    EMDB_RETURN_IF_ERROR(
        VisitLeaf(page.data(), [&](std::string_view key, std::string_view value) -> absl::Status {
          if (!is_newer && !IsLost(key)) return absl::OkStatus();
          any = true;
          return visit(key, value);
        }));
    pages += any ? 1 : 0;
  }
  return pages;
}

}  // namespace emdb
