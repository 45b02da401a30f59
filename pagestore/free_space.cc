#include "pagestore/free_space.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr uint64_t kMaxFilePages = UINT32_MAX;
// Holes of fewer pages are passed over while there is little free space to lose: a write of 64 KiB
// costs little more than one of 8.
constexpr uint32_t kLongRun = 8;
// Below this size of the file, small holes cost less than the space they waste.
constexpr uint64_t kSmallFilePages = 4096;
// At least this many pages at the end of the file are moved at a time.
constexpr uint64_t kMinPagesToMove = 128;
// And, of an idle store, this part of the file; a checkpoint, which others may wait for, moves at
// most this much.
constexpr uint64_t kIdlePart = 16;
constexpr uint64_t kMostBytesToMove = uint64_t{16} << 20;
// One part in so many has to be free for an idle store to get shorter, and so many pages.
constexpr uint64_t kIdleShare = 32;
constexpr uint64_t kMinIdlePages = 32;

uint64_t CountPages(const std::vector<PageRun>& runs) {
  uint64_t pages = 0;
  for (const PageRun& run : runs) pages += run.count;
  return pages;
}

}  // namespace

void FreeSpace::Reset(const StoreHeader& header) {
  base_ = header;
  index_loaded_ = false;
  map_.levels.clear();
  states_.clear();
  chunks_.clear();
  pending_pages_ -= CountPages(freed_);
  freed_.clear();
  file_pages_ = header.file_pages;
  used_pages_ = header.used_pages;
}

absl::Status FreeSpace::LoadIndex() {
  if (index_loaded_) return absl::OkStatus();
  EMDB_ASSIGN_OR_RETURN(map_, ReadFreeMap(*file_, base_));
  states_.clear();
  for (const auto& level : map_.levels) states_.emplace_back(level.size());
  chunks_.clear();
  chunks_.resize(map_.levels[0].size());
  index_loaded_ = true;
  RestartSearch();
  return absl::OkStatus();
}

void FreeSpace::RestartSearch() {
  hint_ = kHeaderSlots;
  exact_hints_.fill(kHeaderSlots);
  const bool plenty = free_pages() * 4 > file_pages_;
  const bool takes_any = plenty || is_short_ || file_pages_ < kSmallFilePages;
  preferred_run_ = takes_any ? 1 : kLongRun;
}

absl::StatusOr<FreeSpace::Chunk*> FreeSpace::LoadChunk(uint32_t index) {
  if (index >= chunks_.size()) {
    return file_->Corruption(0, "the map of free space speaks of pages behind the end of the file");
  }
  Chunk* chunk = &chunks_[index];
  if (chunk->used != nullptr) return chunk;
  EMDB_ASSIGN_OR_RETURN(PageBitmap bits, ReadBitmap(*file_, map_.levels[0][index], index));
  chunk->blocked = std::make_unique<PageBitmap>(bits);
  chunk->used = std::make_unique<PageBitmap>(std::move(bits));
  const uint64_t begin = uint64_t{index} * chunk_pages();
  for (const Pending& pending : pending_) {
    for (const PageRun& run : pending.runs) {
      const uint64_t from = std::max<uint64_t>(run.first, begin);
      const uint64_t to = std::min(run.end(), begin + chunk_pages());
      if (from >= to) continue;
      chunk->blocked->Set(static_cast<uint32_t>(from - begin), static_cast<uint32_t>(to - begin));
    }
  }
  return chunk;
}

void FreeSpace::AddChunks(uint64_t file_pages) {
  file_pages_ = std::max(file_pages_, file_pages);
  const size_t count = (file_pages_ + chunk_pages() - 1) / chunk_pages();
  while (chunks_.size() < count) {
    chunks_.emplace_back();
    map_.levels[0].emplace_back();
    states_[0].emplace_back();
  }
}

template <typename Change>
absl::Status FreeSpace::ForEachPart(PageRun run, Change change) {
  for (uint64_t at = run.first; at < run.end();) {
    const uint32_t index = static_cast<uint32_t>(at / chunk_pages());
    const uint64_t begin = uint64_t{index} * chunk_pages();
    const uint64_t end = std::min(run.end(), begin + chunk_pages());
    EMDB_ASSIGN_OR_RETURN(Chunk * chunk, LoadChunk(index));
    change(index, chunk, static_cast<uint32_t>(at - begin), static_cast<uint32_t>(end - begin));
    at = end;
  }
  return absl::OkStatus();
}

bool FreeSpace::IsFull(uint32_t chunk) const {
  const uint64_t begin = uint64_t{chunk} * chunk_pages();
  const uint64_t pages = std::min<uint64_t>(file_pages_ - begin, chunk_pages());
  return map_.levels[0][chunk].used == pages;
}

absl::StatusOr<uint64_t> FreeSpace::NextUnblocked(uint64_t from) {
  uint64_t at = from;
  while (at < file_pages_) {
    const uint32_t index = static_cast<uint32_t>(at / chunk_pages());
    const uint64_t begin = uint64_t{index} * chunk_pages();
    if (!IsFull(index)) {
      EMDB_ASSIGN_OR_RETURN(const Chunk* chunk, LoadChunk(index));
      const uint32_t bit = chunk->blocked->NextClear(static_cast<uint32_t>(at - begin));
      if (bit < chunk_pages()) return begin + bit;
    }
    at = begin + chunk_pages();
  }
  return std::max(from, file_pages_);
}

absl::StatusOr<uint64_t> FreeSpace::NextBlocked(uint64_t from, uint64_t limit) {
  while (from < std::min(limit, file_pages_)) {
    const uint32_t index = static_cast<uint32_t>(from / chunk_pages());
    const uint64_t begin = uint64_t{index} * chunk_pages();
    EMDB_ASSIGN_OR_RETURN(const Chunk* chunk, LoadChunk(index));
    const uint32_t bit = chunk->blocked->NextSet(static_cast<uint32_t>(from - begin));
    if (bit < chunk_pages()) return std::min(limit, begin + bit);
    from = begin + chunk_pages();
  }
  return limit;
}

absl::StatusOr<PageRun> FreeSpace::Allocate(uint32_t min, uint32_t max, uint64_t* hint) {
  uint64_t begin = *hint;
  uint64_t end = begin;
  while (true) {
    EMDB_ASSIGN_OR_RETURN(begin, NextUnblocked(end));
    EMDB_ASSIGN_OR_RETURN(end, NextBlocked(begin, begin + max));
    if (end - begin >= min) break;
  }
  if (end > kMaxFilePages) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file_->path(), ": a store has at most ", kMaxFilePages, " pages"));
  }
  AddChunks(end);
  const PageRun run = {static_cast<PageId>(begin), static_cast<uint32_t>(end - begin)};
  EMDB_RETURN_IF_ERROR(
      ForEachPart(run, [this](uint32_t index, Chunk* chunk, uint32_t from, uint32_t to) {
        chunk->used->Set(from, to);
        chunk->blocked->Set(from, to);
        map_.levels[0][index].used += to - from;
        states_[0][index].dirty = true;
      }));
  used_pages_ += run.count;
  *hint = end;
  return run;
}

absl::StatusOr<PageRun> FreeSpace::AllocateUpTo(uint32_t max) {
  EMDB_RETURN_IF_ERROR(LoadIndex());
  return Allocate(std::min(preferred_run_, max), max, &hint_);
}

absl::StatusOr<PageRun> FreeSpace::AllocateExactly(uint32_t count) {
  EMDB_RETURN_IF_ERROR(LoadIndex());
  const auto width = static_cast<size_t>(std::bit_width(count));
  uint64_t& hint = exact_hints_[width];
  hint = *std::max_element(exact_hints_.begin(), exact_hints_.begin() + width + 1);
  return Allocate(count, count, &hint);
}

absl::Status FreeSpace::GiveBack(PageRun run) {
  EMDB_RETURN_IF_ERROR(
      ForEachPart(run, [this](uint32_t index, Chunk* chunk, uint32_t from, uint32_t to) {
        chunk->used->Clear(from, to);
        chunk->blocked->Clear(from, to);
        map_.levels[0][index].used -= to - from;
      }));
  used_pages_ -= run.count;
  hint_ = std::min<uint64_t>(hint_, run.first);
  return absl::OkStatus();
}

absl::Status FreeSpace::Free(PageRun run) {
  EMDB_RETURN_IF_ERROR(LoadIndex());
  uint32_t found = 0;
  if (run.end() <= file_pages_) {
    EMDB_RETURN_IF_ERROR(
        ForEachPart(run, [&](uint32_t, const Chunk* chunk, uint32_t from, uint32_t to) {
          found += chunk->used->CountIn(from, to);
        }));
  }
  if (found != run.count) {
    return file_->Corruption(run.first, "pages of the tree that the map of free space calls free");
  }
  EMDB_RETURN_IF_ERROR(
      ForEachPart(run, [this](uint32_t index, Chunk* chunk, uint32_t from, uint32_t to) {
        chunk->used->Clear(from, to);  // and stays blocked
        map_.levels[0][index].used -= to - from;
        states_[0][index].dirty = true;
      }));
  used_pages_ -= run.count;
  pending_pages_ += run.count;
  AppendRun(run, &freed_);
  return absl::OkStatus();
}

void FreeSpace::Commit(uint64_t generation) {
  if (freed_.empty()) return;
  pending_.push_back({generation, std::move(freed_)});
  freed_.clear();
}

std::vector<PageRun> FreeSpace::Reclaim(uint64_t oldest_generation) {
  std::vector<PageRun> reclaimed;
  while (!pending_.empty() && pending_.front().generation <= oldest_generation) {
    for (const PageRun& run : pending_.front().runs) reclaimed.push_back(run);
    pending_.pop_front();
  }
  pending_pages_ -= CountPages(reclaimed);
  for (const PageRun& run : reclaimed) {
    for (uint64_t id = run.first; id < run.end(); ++id) {
      const uint64_t index = id / chunk_pages();
      // Chunks that are not in memory, or not any more, read what is pending anew.
      if (index >= chunks_.size() || chunks_[index].blocked == nullptr) continue;
      const uint32_t bit = static_cast<uint32_t>(id % chunk_pages());
      chunks_[index].blocked->Clear(bit, bit + 1);
    }
  }
  RestartSearch();
  return reclaimed;
}

absl::Status FreeSpace::SearchFromEnd() {
  EMDB_RETURN_IF_ERROR(LoadIndex());
  hint_ = file_pages_;
  exact_hints_.fill(file_pages_);
  return absl::OkStatus();
}

bool FreeSpace::IsSparse(Shrink when) const {
  if (when == Shrink::kWhenHalfIsFree) {
    return free_pages() * 2 >= file_pages_ && file_pages_ >= kMinPagesToMove;
  }
  return free_pages() * kIdleShare >= file_pages_ && free_pages() >= kMinIdlePages;
}

absl::StatusOr<PageId> FreeSpace::EndToMove(Shrink when) {
  if (!IsSparse(when)) return UINT32_MAX;
  EMDB_RETURN_IF_ERROR(LoadIndex());
  if (when == Shrink::kWhenIdle) preferred_run_ = 1;
  uint64_t budget = std::max(kMinPagesToMove, file_pages_ / kIdlePart);
  if (when == Shrink::kWhenHalfIsFree) {
    budget = std::min(budget, kMostBytesToMove / file_->page_size());
  }
  budget = std::min(budget, free_pages() / 2);
  // What stands below could not move to a better place.
  const uint64_t lowest = used_pages_ + pending_pages_;
  uint64_t found = 0;
  for (uint32_t index = static_cast<uint32_t>(chunks_.size()); index-- > 0;) {
    const uint64_t begin = uint64_t{index} * chunk_pages();
    EMDB_ASSIGN_OR_RETURN(const Chunk* chunk, LoadChunk(index));
    for (uint32_t word = chunk->used->word_count(); word-- > 0;) {
      found += static_cast<uint64_t>(std::popcount(chunk->used->word(word)));
      const uint64_t at = begin + uint64_t{word} * 64;
      if (found >= budget || at <= lowest) return static_cast<PageId>(std::max(at, lowest));
    }
  }
  return UINT32_MAX;
}

void FreeSpace::MoveNodes(PageId move_from) {
  for (size_t level = 0; level < map_.levels.size(); ++level) {
    for (size_t i = 0; i < map_.levels[level].size(); ++i) {
      if (map_.levels[level][i].ref.id >= move_from) states_[level][i].dirty = true;
    }
  }
}

absl::Status FreeSpace::WriteMap(StoreHeader* header, PageId move_from) {
  EMDB_RETURN_IF_ERROR(LoadIndex());
  EMDB_RETURN_IF_ERROR(TrimEnd());
  MoveNodes(move_from);
  // Where the last of the tree's pages went, and not behind the last value of a page.
  exact_hints_[1] = std::min(exact_hints_[1], hint_);
  // The map's own pages come from the space it describes: giving one a place changes bits, which
  // may change another page of the map. It ends because a page is placed only once.
  bool placed = true;
  while (placed) {
    placed = false;
    EMDB_RETURN_IF_ERROR(AdoptShape());
    EMDB_RETURN_IF_ERROR(PlaceDirtyNodes(&placed));
  }
  for (uint32_t level = 0; level < map_.levels.size(); ++level) {
    for (uint32_t position = 0; position < map_.levels[level].size(); ++position) {
      if (!states_[level][position].dirty) continue;
      if (level == 0) EMDB_RETURN_IF_ERROR(LoadChunk(position).status());
      EMDB_RETURN_IF_ERROR(WriteNode(level, position, header->generation));
    }
  }
  header->map_root = map_.levels.back()[0].ref;
  header->map_level = static_cast<uint32_t>(map_.levels.size()) - 1;
  header->file_pages = static_cast<uint32_t>(file_pages_);
  header->used_pages = static_cast<uint32_t>(used_pages_);
  return absl::OkStatus();
}

absl::Status FreeSpace::TrimEnd() {
  while (true) {
    const uint32_t last = static_cast<uint32_t>(chunks_.size()) - 1;
    EMDB_ASSIGN_OR_RETURN(const Chunk* chunk, LoadChunk(last));
    const uint64_t begin = uint64_t{last} * chunk_pages();
    const uint32_t end = chunk->blocked->EndOfLastSet();
    file_pages_ = begin + end;
    if (end > 0) return absl::OkStatus();
    // A damaged map may call even the header slots free.
    if (last == 0) return file_->Corruption(0, "header slots that the map calls free");
    chunks_.pop_back();
    EMDB_RETURN_IF_ERROR(DropLast(0));
  }
}

absl::Status FreeSpace::DropLast(uint32_t level) {
  const PageRef ref = map_.levels[level].back().ref;
  map_.levels[level].pop_back();
  states_[level].pop_back();
  const size_t parent = map_.levels[level].size() / MapFanout(file_->page_size());
  if (level + 1 < states_.size() && parent < states_[level + 1].size()) {
    states_[level + 1][parent].dirty = true;
  }
  return ref.exists() ? Free({ref.id, 1}) : absl::OkStatus();
}

absl::Status FreeSpace::AdoptShape() {
  const std::vector<uint32_t> shape = MapShape(file_->page_size(), file_pages_);
  while (map_.levels.size() > shape.size()) {
    const uint32_t top = static_cast<uint32_t>(map_.levels.size()) - 1;
    while (!map_.levels[top].empty()) EMDB_RETURN_IF_ERROR(DropLast(top));
    map_.levels.pop_back();
    states_.pop_back();
  }
  map_.levels.resize(shape.size());
  states_.resize(shape.size());
  for (uint32_t level = 1; level < shape.size(); ++level) {
    while (map_.levels[level].size() > shape[level]) EMDB_RETURN_IF_ERROR(DropLast(level));
    map_.levels[level].resize(shape[level]);
    states_[level].resize(shape[level], NodeState{.dirty = true});
  }
  return absl::OkStatus();
}

absl::Status FreeSpace::PlaceDirtyNodes(bool* placed) {
  for (uint32_t level = 0; level < map_.levels.size(); ++level) {
    for (uint32_t position = 0; position < map_.levels[level].size(); ++position) {
      const NodeState& state = states_[level][position];
      if (!state.dirty || state.new_id != kNoPage) continue;
      *placed = true;
      EMDB_ASSIGN_OR_RETURN(const PageRun run, AllocateExactly(1));
      states_[level][position].new_id = run.first;  // `state` may have moved
      if (const PageRef old = map_.levels[level][position].ref; old.exists()) {
        EMDB_RETURN_IF_ERROR(Free({old.id, 1}));
      }
      const uint32_t parent = position / MapFanout(file_->page_size());
      if (level + 1 < states_.size() && parent < states_[level + 1].size()) {
        states_[level + 1][parent].dirty = true;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FreeSpace::WriteNode(uint32_t level, uint32_t position, uint64_t generation) {
  MapEntry& entry = map_.levels[level][position];
  NodeState& state = states_[level][position];
  AlignedBuffer page(file_->page_size());
  std::memset(page.data(), 0, page.size());
  PageHeader header;
  header.id = state.new_id;
  header.kind = level == 0 ? PageKind::kBitmap : PageKind::kMapIndex;
  header.level = static_cast<uint8_t>(level);
  header.generation = generation;
  header.position = position;
  EncodePageHeader(header, page.data());
  if (level == 0) {
    const PageBitmap& used = *chunks_[position].used;
    for (uint32_t i = 0; i < used.word_count(); ++i) StoreBitmapWord(page.data(), i, used.word(i));
  } else {
    const std::vector<MapEntry>& below = map_.levels[level - 1];
    const uint32_t fanout = MapFanout(file_->page_size());
    const size_t first = size_t{position} * fanout;
    entry.used = 0;
    for (size_t i = first; i < std::min(first + fanout, below.size()); ++i) {
      StoreMapEntry(page.data(), static_cast<uint32_t>(i - first), below[i]);
      entry.used += below[i].used;
    }
  }
  entry.ref = SealPage(file_->crc_seed(), page.data(), page.size());
  state = NodeState();
  return file_->WriteRun(entry.ref.id, std::string_view(page.data(), page.size()));
}

}  // namespace emdb
