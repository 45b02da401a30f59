#include "storage/fault_env.h"

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_file.h"
#include "storage/posix_env.h"
#include "storage/splitmix.h"
#include "storage/status.h"
#include "storage/volatile_names.h"

namespace emdb {

using Inode = VolatileNames::Inode;

FaultEnv::FaultEnv(uint64_t random_seed) : FaultEnv(DiskImage{{}, random_seed}) {}

FaultEnv::FaultEnv(const DiskImage& image) : disk_(std::make_shared<FaultDisk>()) {
  VolatileNames::Table table;
  for (const auto& [path, contents] : image.files) {
    table.emplace(path, std::make_shared<VolatileFile>(contents));
  }
  disk_->Inspect([&](FaultDisk::State* state) {
    state->names = VolatileNames(table);
    state->random_state = image.random_state;
  });
}

FaultEnv::~FaultEnv() = default;

absl::StatusOr<std::unique_ptr<File>> FaultEnv::OpenFile(std::string_view path,
                                                         const OpenOptions& options) {
  if (options.create && !options.write) return IoError(EINVAL, "create without writing", path);
  const bool missing =
      disk_->Inspect([&](FaultDisk::State* state) { return state->names.Find(path) == nullptr; });
  const FileOp op = missing && options.create ? FileOp::kCreate : FileOp::kOpen;
  Inode inode;
  EMDB_RETURN_IF_ERROR(
      disk_->Run({.op = op, .path = std::string(path)}, [&](FaultDisk::State* state) {
        inode = state->names.Find(path);
        if (inode != nullptr && options.create && options.exclusive) {
          return IoError(EEXIST, "open", path);
        }
        if (inode == nullptr && !options.create) return IoError(ENOENT, "open", path);
        if (inode == nullptr) inode = state->names.Create(path);
        return absl::OkStatus();
      }));
  return std::make_unique<FaultFile>(std::string(path), disk_, std::move(inode), options);
}

absl::StatusOr<std::unique_ptr<Directory>> FaultEnv::OpenDirectory(std::string_view path) {
  EMDB_RETURN_IF_ERROR(disk_->Run({.op = FileOp::kOpen, .path = std::string(path)},
                                  [](FaultDisk::State*) { return absl::OkStatus(); }));
  return std::make_unique<FaultDirectory>(std::string(path), disk_);
}

absl::StatusOr<std::unique_ptr<RingMapping>> FaultEnv::MapRing(std::string_view path, size_t size) {
  std::unique_ptr<RingMapping> ring;
  const TraceEntry entry = {.op = FileOp::kMapRing, .path = std::string(path), .size = size};
  EMDB_RETURN_IF_ERROR(disk_->Run(entry, [&](FaultDisk::State* state) -> absl::Status {
    Inode inode = state->names.Find(path);
    const uint64_t old_size = inode == nullptr ? 0 : inode->size();
    if (size > old_size && size - old_size > state->Free()) {
      return IoError(ENOSPC, "map ring", path);
    }
    if (inode == nullptr) inode = state->names.Create(path);
    EMDB_ASSIGN_OR_RETURN(ring, inode->Map(path, size));
    return absl::OkStatus();
  }));
  return ring;
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultEnv::Lock(std::string_view path, LockMode mode) {
  std::unique_ptr<FileLock> lock;
  const TraceEntry entry = {.op = FileOp::kLock, .path = std::string(path)};
  EMDB_RETURN_IF_ERROR(disk_->Run(entry, [&](FaultDisk::State* state) -> absl::Status {
    if (state->names.Find(path) == nullptr) return IoError(ENOENT, "lock", path);
    EMDB_ASSIGN_OR_RETURN(lock, disk_->Lock(path, mode));
    return absl::OkStatus();
  }));
  return lock;
}

absl::Status FaultEnv::Rename(std::string_view from, std::string_view to) {
  const std::string both = absl::StrCat(ToAbsl(from), " to ", ToAbsl(to));
  const TraceEntry entry = {
      .op = FileOp::kRename, .path = std::string(from), .target = std::string(to)};
  return disk_->Run(entry, [&](FaultDisk::State* state) {
    if (state->names.Find(from) == nullptr) return IoError(ENOENT, "rename", both);
    if (DirectoryOf(from) != DirectoryOf(to)) return IoError(EXDEV, "rename", both);
    if (from != to) state->names.Rename(from, to);
    return absl::OkStatus();
  });
}

absl::Status FaultEnv::Remove(std::string_view path) {
  const TraceEntry entry = {.op = FileOp::kRemove, .path = std::string(path)};
  return disk_->Run(entry, [&](FaultDisk::State* state) {
    if (state->names.Find(path) == nullptr) return IoError(ENOENT, "unlink", path);
    state->names.Remove(path);
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> FaultEnv::Exists(std::string_view path) {
  return disk_->Inspect([&](FaultDisk::State* state) -> absl::StatusOr<bool> {
    if (state->power_is_cut) return IoError(EIO, "stat", path);
    return state->names.Find(path) != nullptr;
  });
}

uint64_t FaultEnv::NowNanos() { return PosixEnv()->NowNanos(); }

void FaultEnv::FillRandom(char* buffer, size_t size) {
  disk_->Inspect([&](FaultDisk::State* state) {
    for (size_t i = 0; i < size; ++i) {
      buffer[i] = static_cast<char>(SplitMix64(&state->random_state));
    }
  });
}

void FaultEnv::AddRule(FaultRule rule) {
  disk_->Inspect([&](FaultDisk::State* state) { state->rules.push_back(std::move(rule)); });
}

void FaultEnv::ClearRules() {
  disk_->Inspect([](FaultDisk::State* state) { state->rules.clear(); });
}

void FaultEnv::SetCapacity(uint64_t bytes) {
  disk_->Inspect([&](FaultDisk::State* state) { state->capacity = bytes; });
}

uint64_t FaultEnv::OperationCount() const {
  return disk_->Inspect([](FaultDisk::State* state) { return state->next_number; });
}

void FaultEnv::CutPowerAt(uint64_t n) {
  disk_->Inspect([&](FaultDisk::State* state) {
    state->power_cut_at = n;
    if (n <= state->next_number && !state->power_is_cut) state->CutPower();
  });
}

bool FaultEnv::PowerIsCut() const {
  return disk_->Inspect([](FaultDisk::State* state) { return state->power_is_cut; });
}

DiskImage FaultEnv::CrashImage(CrashChooser* chooser) const {
  return disk_->Inspect([&](FaultDisk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.AfterPowerCut(chooser)) {
      image.files.emplace(path, inode->AfterPowerCut(chooser));
    }
    return image;
  });
}

DiskImage FaultEnv::SyncedImage() const {
  return disk_->Inspect([](FaultDisk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.Synced()) {
      image.files.emplace(path, inode->Synced());
    }
    return image;
  });
}

DiskImage FaultEnv::FullImage() const {
  return disk_->Inspect([](FaultDisk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.Newest()) {
      image.files.emplace(path, inode->Newest());
    }
    return image;
  });
}

std::vector<FaultEnv::TraceEntry> FaultEnv::Trace() const {
  return disk_->Inspect([](FaultDisk::State* state) { return state->trace; });
}

void FaultEnv::SetObserver(Observer observer) {
  disk_->Inspect([&](FaultDisk::State* state) { state->observer = std::move(observer); });
}

}  // namespace emdb
