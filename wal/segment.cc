#include "wal/segment.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/check.h"
#include "storage/status.h"

namespace emdb {
namespace {

// Writes up to this size are copied into one piece with the zeros behind them; longer ones take two
// writes.
constexpr size_t kBounceBytes = 64 << 10;

struct Files {
  std::unique_ptr<File> file;
  std::unique_ptr<File> buffered_reader;
};

absl::StatusOr<Files> OpenFiles(Env* env, const std::string& path, Segment::Access access) {
  const bool direct = access == Segment::Access::kDirect;
  Files files;
  EMDB_ASSIGN_OR_RETURN(
      files.file,
      env->OpenFile(path, {.write = access != Segment::Access::kReadOnly, .direct = direct}));
  if (direct) {
    EMDB_ASSIGN_OR_RETURN(files.buffered_reader, env->OpenFile(path, OpenOptions{}));
  }
  return files;
}

absl::Status ReserveFile(Env* env, const std::string& path, uint64_t size) {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                        env->OpenFile(path, {.write = true, .create = true, .exclusive = true}));
  EMDB_RETURN_IF_ERROR(file->Reserve(0, size));
  return file->Close();
}

}  // namespace

Segment::Segment(std::string path, std::unique_ptr<File> file,
                 std::unique_ptr<File> buffered_reader)
    : file_(std::move(file)),
      buffered_reader_(std::move(buffered_reader)),
      path_(std::move(path)) {}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Open(Env* env, const std::string& path,
                                                       Access access) {
  EMDB_ASSIGN_OR_RETURN(Files files, OpenFiles(env, path, access));
  const File& reader = files.buffered_reader ? *files.buffered_reader : *files.file;
  char block[kSegmentBlockBytes];
  EMDB_ASSIGN_OR_RETURN(const size_t got, reader.ReadAt(0, sizeof(block), block));
  SegmentHeader header;
  SegmentState state;
  EMDB_RETURN_IF_ERROR(DecodeSegmentBlock(std::string_view(block, got), path, &header, &state));
  EMDB_ASSIGN_OR_RETURN(const uint64_t size, reader.Size());
  if (size < header.file_bytes()) {
    return CorruptionError(path, size,
                           absl::StrCat("it was cut short: the file ends here, expected ",
                                        header.file_bytes(), " bytes"),
                           kDamagedLogAdvice);
  }
  std::shared_ptr<Segment> segment(
      new Segment(path, std::move(files.file), std::move(files.buffered_reader)));
  segment->header_ = header;
  MutexLock lock(&segment->mutex_);
  segment->state_ = state;
  return segment;
}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Create(Env* env, const std::string& path,
                                                         uint64_t capacity_bytes, Access access) {
  absl::Status status = ReserveFile(env, path, kSegmentBlockBytes + capacity_bytes);
  absl::StatusOr<Files> files = status.ok() ? OpenFiles(env, path, access) : status;
  if (!files.ok()) {
    // The space may be needed; the error that counts is the first one.
    env->Remove(path).IgnoreError();
    return files.status();
  }
  std::shared_ptr<Segment> segment(
      new Segment(path, std::move(files->file), std::move(files->buffered_reader)));
  segment->header_.capacity_bytes = capacity_bytes;
  return segment;
}

absl::Status Segment::Write(uint64_t from_lsn, std::string_view blocks) {
  const uint64_t block_lsn = RoundDownToBlock(from_lsn);
  EMDB_CHECK(block_lsn >= header_.base_lsn && block_lsn + blocks.size() <= header_.end_lsn());
  if (buffered_reader_ != nullptr) return WriteDirect(block_lsn, blocks);
  return file_->WriteAt(OffsetOf(from_lsn), blocks.substr(from_lsn - block_lsn));
}

absl::Status Segment::WriteDirect(uint64_t block_lsn, std::string_view blocks) {
  if (bounce_.size() == 0) bounce_ = AlignedBuffer(kBounceBytes);
  if (blocks.size() > kBounceBytes) {
    const size_t whole = RoundDownToBlock(blocks.size());
    EMDB_RETURN_IF_ERROR(file_->WriteAt(OffsetOf(block_lsn), blocks.substr(0, whole)));
    blocks.remove_prefix(whole);
    block_lsn += whole;
  }
  if (blocks.empty()) return absl::OkStatus();
  // Appenders add to the last block while it is written, so it is written from a copy.
  const size_t padded = RoundUpToBlock(blocks.size());
  std::memcpy(bounce_.data(), blocks.data(), blocks.size());
  std::memset(bounce_.data() + blocks.size(), 0, padded - blocks.size());
  return file_->WriteAt(OffsetOf(block_lsn), std::string_view(bounce_.data(), padded));
}

absl::Status Segment::Encode(const SegmentState& state) {
  const AlignedBuffer block(kSegmentBlockBytes);
  EncodeSegmentBlock(header_, state, block.data());
  return file_->WriteAt(0, std::string_view(block.data(), block.size()));
}

absl::Status Segment::WriteBlock() {
  MutexLock lock(&mutex_);
  return Encode(state_);
}

absl::Status Segment::ChangeState(const std::function<void(SegmentState*)>& change) {
  MutexLock lock(&mutex_);
  SegmentState changed = state_;
  change(&changed);
  EMDB_RETURN_IF_ERROR(Encode(changed));
  state_ = changed;
  return absl::OkStatus();
}

absl::Status Segment::Read(uint64_t lsn, size_t size, char* to) const {
  EMDB_CHECK(lsn >= header_.base_lsn && lsn + size <= header_.end_lsn());
  const File& reader = buffered_reader_ ? *buffered_reader_ : *file_;
  return ReadFully(reader, OffsetOf(lsn), size, to);
}

absl::Status Segment::WriteZeros(uint64_t begin, uint64_t end) {
  EMDB_CHECK(begin % kSegmentBlockBytes == 0 && end % kSegmentBlockBytes == 0);
  const AlignedBuffer zeros(end - begin);
  std::memset(zeros.data(), 0, zeros.size());
  return file_->WriteAt(kSegmentBlockBytes + begin, std::string_view(zeros.data(), zeros.size()));
}

void Segment::Renew(const SegmentHeader& header, bool is_first) {
  header_ = header;
  MutexLock lock(&mutex_);
  state_ = SegmentState{.is_first = is_first};
}

SegmentState Segment::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

std::string Segment::path() const {
  MutexLock lock(&mutex_);
  return path_;
}

void Segment::set_path(std::string path) {
  MutexLock lock(&mutex_);
  path_ = std::move(path);
}

}  // namespace emdb
