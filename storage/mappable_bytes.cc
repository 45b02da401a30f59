#include "storage/mappable_bytes.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "storage/status.h"

namespace emdb {

size_t MappableBytes::Read(uint64_t offset, size_t size, char* out) const {
  if (ring_ == nullptr) return bytes_.Read(offset, size, out);
  if (offset >= ring_->size()) return 0;
  const size_t available = static_cast<size_t>(std::min<uint64_t>(size, ring_->size() - offset));
  ring_->Read(offset, available, out);
  return available;
}

void MappableBytes::Write(uint64_t offset, std::string_view data) {
  if (ring_ != nullptr && offset + data.size() <= ring_->size()) {
    ring_->Write(offset, data);
    return;
  }
  LeaveRing();
  bytes_.Write(offset, data);
}

void MappableBytes::Resize(uint64_t size) {
  if (size == this->size()) return;
  LeaveRing();
  bytes_.Resize(size);
}

absl::StatusOr<std::unique_ptr<RingMapping>> MappableBytes::Map(std::string_view path,
                                                                size_t size) {
  if (ring_ == nullptr || ring_->size() != size) {
    EMDB_ASSIGN_OR_RETURN(std::shared_ptr<RingMemory> ring, RingMemory::Create(path, size));
    Resize(size);
    bytes_.ForEachPiece([&](uint64_t offset, std::string_view data) { ring->Write(offset, data); });
    bytes_ = SparseBytes();
    ring_ = std::move(ring);
  }
  return ring_->Map();
}

SparseBytes MappableBytes::Snapshot() const {
  if (ring_ == nullptr) return bytes_;
  SparseBytes snapshot;
  snapshot.Resize(ring_->size());
  std::string contents;
  uint64_t end = 0;
  while (const std::optional<RingMemory::Range> used = ring_->NextUsed(end)) {
    contents.resize(used->size);
    ring_->Read(used->offset, used->size, contents.data());
    snapshot.Write(used->offset, contents);
    end = used->offset + used->size;
  }
  return snapshot;
}

void MappableBytes::LeaveRing() {
  if (ring_ == nullptr) return;
  bytes_ = Snapshot();
  ring_.reset();
}

}  // namespace emdb
