#include "storage/sparse_bytes.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace emdb {
namespace {

bool IsZero(std::string_view data) {
  return data.empty() ||
         (data[0] == 0 && std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

}  // namespace

SparseBytes::ChunkRef::~ChunkRef() {
  // Release and acquire: all that every owner did to the chunk happens before it is freed.
  if (chunk_ != nullptr && chunk_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete chunk_;
  }
}

char* SparseBytes::ChunkRef::MutableBytes() {
  // Acquire: what the last other owner read, it read before it let go.
  if (chunk_ != nullptr && chunk_->references.load(std::memory_order_acquire) == 1) {
    return chunk_->bytes;
  }
  ChunkRef copy;
  copy.chunk_ = std::make_unique<Chunk>().release();
  if (chunk_ != nullptr) std::memcpy(copy.chunk_->bytes, chunk_->bytes, kChunkBytes);
  std::swap(chunk_, copy.chunk_);
  return chunk_->bytes;
}

size_t SparseBytes::Read(uint64_t offset, size_t size, char* out) const {
  if (offset >= size_) return 0;
  const size_t available = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  size_t done = 0;
  while (done < available) {
    const size_t index = static_cast<size_t>((offset + done) / kChunkBytes);
    const size_t start = static_cast<size_t>((offset + done) % kChunkBytes);
    const size_t piece = std::min(available - done, kChunkBytes - start);
    const char* const bytes = index < chunks_.size() ? chunks_[index].bytes() : nullptr;
    if (bytes == nullptr) {
      std::memset(out + done, 0, piece);
    } else {
      std::memcpy(out + done, bytes + start, piece);
    }
    done += piece;
  }
  return available;
}

std::string SparseBytes::Read(uint64_t offset, size_t size) const {
  const uint64_t available = offset < size_ ? size_ - offset : 0;
  std::string out(static_cast<size_t>(std::min<uint64_t>(size, available)), '\0');
  Read(offset, out.size(), out.data());
  return out;
}

void SparseBytes::ForEachPiece(
    absl::FunctionRef<void(uint64_t offset, std::string_view data)> visit) const {
  for (size_t i = 0; i < chunks_.size(); ++i) {
    const uint64_t offset = uint64_t{i} * kChunkBytes;
    const uint64_t size = std::min<uint64_t>(kChunkBytes, size_ - offset);
    if (chunks_[i].bytes() != nullptr) visit(offset, {chunks_[i].bytes(), size});
  }
}

void SparseBytes::Write(uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  size_ = std::max(size_, offset + data.size());
  while (!data.empty()) {
    const size_t index = static_cast<size_t>(offset / kChunkBytes);
    const size_t start = static_cast<size_t>(offset % kChunkBytes);
    const std::string_view piece = data.substr(0, kChunkBytes - start);
    const bool is_hole = index >= chunks_.size() || chunks_[index].bytes() == nullptr;
    if (!is_hole || !IsZero(piece)) {
      if (index >= chunks_.size()) chunks_.resize(index + 1);
      std::memcpy(chunks_[index].MutableBytes() + start, piece.data(), piece.size());
    }
    offset += piece.size();
    data.remove_prefix(piece.size());
  }
}

void SparseBytes::Resize(uint64_t size) {
  if (size < size_) {
    const size_t keep = static_cast<size_t>((size + kChunkBytes - 1) / kChunkBytes);
    if (keep < chunks_.size()) chunks_.resize(keep);
    // What is cut off the last chunk must not come back when the contents grow again.
    const size_t used = static_cast<size_t>(size % kChunkBytes);
    if (used != 0 && keep == chunks_.size() && chunks_.back().bytes() != nullptr) {
      std::memset(chunks_.back().MutableBytes() + used, 0, kChunkBytes - used);
    }
  }
  size_ = size;
}

bool operator==(const SparseBytes& a, const SparseBytes& b) {
  if (a.size_ != b.size_) return false;
  const size_t count = std::max(a.chunks_.size(), b.chunks_.size());
  for (size_t i = 0; i < count; ++i) {
    const char* const left = i < a.chunks_.size() ? a.chunks_[i].bytes() : nullptr;
    const char* const right = i < b.chunks_.size() ? b.chunks_[i].bytes() : nullptr;
    if (left == right) continue;
    const bool same =
        left != nullptr && right != nullptr
            ? std::memcmp(left, right, SparseBytes::kChunkBytes) == 0
            : IsZero(std::string_view(left != nullptr ? left : right, SparseBytes::kChunkBytes));
    if (!same) return false;
  }
  return true;
}

}  // namespace emdb
