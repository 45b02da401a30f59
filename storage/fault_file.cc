#include "storage/fault_file.h"

#include <algorithm>
#include <cerrno>

#include "storage/mappable_bytes.h"
#include "storage/status.h"
#include "storage/volatile_file.h"

namespace emdb {

absl::StatusOr<size_t> FaultFile::ReadAt(uint64_t offset, size_t size, char* buffer) const {
  size_t got = 0;
  EMDB_RETURN_IF_ERROR(disk_->Run(Entry(FileOp::kRead, offset, size), [&](FaultDisk::State*) {
    EMDB_RETURN_IF_ERROR(CheckAligned("read", offset, std::string_view(buffer, size)));
    got = inode_->Read(offset, size, buffer);
    return absl::OkStatus();
  }));
  return got;
}

absl::Status FaultFile::WriteAt(uint64_t offset, std::string_view data) {
  const auto write = [&](FaultDisk::State* state) {
    EMDB_RETURN_IF_ERROR(CheckChange("write", offset, data.size()));
    EMDB_RETURN_IF_ERROR(CheckAligned("write", offset, data));
    const uint64_t end = offset + data.size();
    const uint64_t growth = end - std::min(end, inode_->size());
    const uint64_t free = state->Free();
    if (growth > free) {
      const uint64_t too_much = std::min<uint64_t>(growth - free, data.size());
      WriteFirstSectors(offset, data, data.size() - too_much);
      return IoError(ENOSPC, "write", path());
    }
    inode_->Write(offset, data);
    return absl::OkStatus();
  };
  const auto failed_write = [&](const FaultRule& rule, FaultDisk::State*) {
    const bool possible = CheckChange("write", offset, data.size()).ok();
    if (rule.short_write && possible) WriteFirstSectors(offset, data, data.size() / 2);
  };
  return disk_->Run(Entry(FileOp::kWrite, offset, data.size()), write, failed_write);
}

absl::Status FaultFile::SyncData() {
  const auto sync = [&](FaultDisk::State*) {
    if (inode_ == nullptr) return IoError(EBADF, "fdatasync", path());
    inode_->Sync();
    return absl::OkStatus();
  };
  const auto failed_sync = [&](const FaultRule& rule, FaultDisk::State*) {
    if (inode_ == nullptr) return;
    if (rule.reads_old) {
      inode_->RevertUnsynced();
    } else if (rule.drop_unsynced) {
      inode_->DropUnsynced();
    }
  };
  return disk_->Run(Entry(FileOp::kSyncData, 0, 0), sync, failed_sync);
}

absl::StatusOr<uint64_t> FaultFile::Size() const {
  return disk_->Inspect([&](FaultDisk::State* state) -> absl::StatusOr<uint64_t> {
    if (inode_ == nullptr) return IoError(EBADF, "fstat", path());
    if (state->power_is_cut) return IoError(EIO, "fstat", path());
    return inode_->size();
  });
}

absl::Status FaultFile::Truncate(uint64_t size) {
  return disk_->Run(Entry(FileOp::kTruncate, 0, size), [&](FaultDisk::State*) {
    EMDB_RETURN_IF_ERROR(CheckChange("ftruncate", size, 0));
    inode_->Resize(size);
    return absl::OkStatus();
  });
}

absl::Status FaultFile::Reserve(uint64_t offset, uint64_t size) {
  return disk_->Run(Entry(FileOp::kReserve, offset, size), [&](FaultDisk::State* state) {
    EMDB_RETURN_IF_ERROR(CheckChange("fallocate", offset, size));
    const uint64_t end = std::max(inode_->size(), offset + size);
    if (end - inode_->size() > state->Free()) return IoError(ENOSPC, "fallocate", path());
    inode_->Resize(end);
    return absl::OkStatus();
  });
}

absl::Status FaultFile::Close() {
  return disk_->Inspect([&](FaultDisk::State*) {
    if (inode_ == nullptr) return IoError(EBADF, "close", path());
    inode_.reset();
    return absl::OkStatus();
  });
}

TraceEntry FaultFile::Entry(FileOp op, uint64_t offset, uint64_t size) const {
  return {.op = op, .path = path(), .offset = offset, .size = size};
}

void FaultFile::WriteFirstSectors(uint64_t offset, std::string_view data, uint64_t size) {
  const uint64_t end = (offset + size) / VolatileFile::kSectorBytes * VolatileFile::kSectorBytes;
  if (end > offset) inode_->Write(offset, data.substr(0, static_cast<size_t>(end - offset)));
}

absl::Status FaultFile::CheckChange(std::string_view operation, uint64_t offset,
                                    uint64_t size) const {
  if (inode_ == nullptr || !writable_) return IoError(EBADF, operation, path());
  constexpr uint64_t kMaxSize = MappableBytes::kMaxSize;
  if (offset > kMaxSize || size > kMaxSize - offset) return IoError(EFBIG, operation, path());
  return absl::OkStatus();
}

absl::Status FaultFile::CheckAligned(std::string_view operation, uint64_t offset,
                                     std::string_view buffer) const {
  if (inode_ == nullptr) return IoError(EBADF, operation, path());
  const uint64_t all = offset | buffer.size() | reinterpret_cast<uintptr_t>(buffer.data());
  if (!direct_ || all % kDirectAlignment == 0) return absl::OkStatus();
  return Annotate(IoError(EINVAL, operation, path()), "direct I/O that is not aligned");
}

absl::Status FaultDirectory::Sync() {
  const auto sync = [&](FaultDisk::State* state) {
    state->names.Sync(path_);
    return absl::OkStatus();
  };
  const auto failed_sync = [&](const FaultRule& rule, FaultDisk::State* state) {
    if (rule.drop_unsynced) state->names.DropUnsynced(path_);
  };
  return disk_->Run({.op = FileOp::kSyncDirectory, .path = path_}, sync, failed_sync);
}

absl::StatusOr<std::vector<std::string>> FaultDirectory::List() const {
  std::vector<std::string> names;
  EMDB_RETURN_IF_ERROR(
      disk_->Run({.op = FileOp::kList, .path = path_}, [&](FaultDisk::State* state) {
        names = state->names.List(path_);
        return absl::OkStatus();
      }));
  return names;
}

}  // namespace emdb
