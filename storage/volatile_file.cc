#include "storage/volatile_file.h"

#include <algorithm>
#include <set>
#include <string>

namespace emdb {

void VolatileFile::Write(uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  current_.Write(offset, data);
  RecordSectors(offset, data.size());
  RecordSize();
}

void VolatileFile::Resize(uint64_t size) {
  const uint64_t old_size = this->size();
  if (size == old_size) return;
  const bool was_mapped = current_.is_mapped();
  current_.Resize(size);
  if (was_mapped) RecordSectors(0, size);
  if (size < old_size) RecordSectors(size, old_size - size);
  RecordSize();
}

absl::StatusOr<std::unique_ptr<RingMapping>> VolatileFile::Map(std::string_view path, size_t size) {
  Resize(size);
  return current_.Map(path, size);
}

void VolatileFile::Sync() {
  if (current_.is_mapped()) {
    durable_ = current_.Snapshot();
  } else {
    for (const auto& [number, versions] : unsynced_sectors_) {
      const Sector& newest = versions.back();
      durable_.Write(number * kSectorBytes, std::string_view(newest.data(), newest.size()));
    }
    durable_.Resize(size());
  }
  DropUnsynced();
}

void VolatileFile::DropUnsynced() {
  unsynced_sectors_.clear();
  unsynced_sizes_.clear();
}

void VolatileFile::RevertUnsynced() {
  for (const auto& [number, versions] : unsynced_sectors_) {
    const uint64_t offset = number * kSectorBytes;
    if (offset >= size() || current_.is_mapped()) continue;
    Sector durable{};
    durable_.Read(offset, kSectorBytes, durable.data());
    const size_t inside = static_cast<size_t>(std::min(kSectorBytes, size() - offset));
    current_.Write(offset, std::string_view(durable.data(), inside));
  }
  DropUnsynced();
}

void VolatileFile::Freeze() {
  if (current_.is_mapped()) frozen_ring_ = current_.Snapshot();
}

SparseBytes VolatileFile::Newest() const {
  return frozen_ring_.has_value() ? *frozen_ring_ : current_.Snapshot();
}

SparseBytes VolatileFile::AfterPowerCut(CrashChooser* chooser) const {
  SparseBytes result = durable_;
  uint64_t size = durable_.size();
  if (!unsynced_sizes_.empty()) {
    const uint32_t choice = chooser->Choose(static_cast<uint32_t>(unsynced_sizes_.size() + 1));
    if (choice > 0) size = unsynced_sizes_[choice - 1];
  }
  if (current_.is_mapped()) {
    ChooseRingPages(chooser, &result);
  } else {
    for (const auto& [number, versions] : unsynced_sectors_) {
      const uint32_t choice = chooser->Choose(static_cast<uint32_t>(versions.size() + 1));
      if (choice == 0) continue;
      const Sector& sector = versions[choice - 1];
      result.Write(number * kSectorBytes, std::string_view(sector.data(), sector.size()));
    }
  }
  result.Resize(size);
  return result;
}

void VolatileFile::ChooseRingPages(CrashChooser* chooser, SparseBytes* result) const {
  const SparseBytes newest = Newest();
  // Most of a ring is zeros in both.
  std::set<uint64_t> pages;
  const auto note = [&](uint64_t offset, std::string_view) {
    if (offset < newest.size()) pages.insert(offset / kRingPageBytes * kRingPageBytes);
  };
  newest.ForEachPiece(note);
  durable_.ForEachPiece(note);
  for (const uint64_t offset : pages) {
    const std::string page = newest.Read(offset, kRingPageBytes);
    std::string durable = durable_.Read(offset, kRingPageBytes);
    durable.resize(page.size());
    if (page != durable && chooser->Choose(2) == 1) result->Write(offset, page);
  }
}

void VolatileFile::RecordSectors(uint64_t offset, uint64_t size) {
  const uint64_t end = (offset + size + kSectorBytes - 1) / kSectorBytes;
  auto recorded = unsynced_sectors_.lower_bound(offset / kSectorBytes);
  for (uint64_t number = offset / kSectorBytes; number < end; ++number) {
    Sector now{};
    current_.Read(number * kSectorBytes, kSectorBytes, now.data());
    if (recorded != unsynced_sectors_.end() && recorded->first == number) {
      if (now != recorded->second.back()) recorded->second.push_back(now);
      ++recorded;
      continue;
    }
    Sector durable{};
    durable_.Read(number * kSectorBytes, kSectorBytes, durable.data());
    if (now != durable) {
      unsynced_sectors_.emplace_hint(recorded, number, std::vector<Sector>{now});
    }
  }
}

void VolatileFile::RecordSize() {
  const uint64_t before = unsynced_sizes_.empty() ? durable_.size() : unsynced_sizes_.back();
  if (size() != before) unsynced_sizes_.push_back(size());
}

}  // namespace emdb
