#include "storage/fault_env.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "storage/memory_locks.h"
#include "storage/mutex.h"
#include "storage/posix_env.h"
#include "storage/splitmix.h"
#include "storage/status.h"
#include "storage/volatile_file.h"
#include "storage/volatile_names.h"

namespace emdb {

using Inode = VolatileNames::Inode;

std::string_view FileOpName(FileOp op) {
  switch (op) {
    case FileOp::kOpen:
      return "open";
    case FileOp::kCreate:
      return "create";
    case FileOp::kRead:
      return "read";
    case FileOp::kWrite:
      return "write";
    case FileOp::kWriteDurable:
      return "durable write";
    case FileOp::kSyncData:
      return "fdatasync";
    case FileOp::kTruncate:
      return "ftruncate";
    case FileOp::kReserve:
      return "fallocate";
    case FileOp::kRename:
      return "rename";
    case FileOp::kRemove:
      return "unlink";
    case FileOp::kSyncDirectory:
      return "fsync directory";
    case FileOp::kMapRing:
      return "map ring";
    case FileOp::kLock:
      return "lock";
    case FileOp::kList:
      return "list";
  }
  return "unknown operation";
}

bool IsNumbered(FileOp op) {
  return op != FileOp::kRead && op != FileOp::kOpen && op != FileOp::kList && op != FileOp::kLock;
}

// What all handles share. An operation runs whole under the mutex.
class FaultEnv::Disk {
 public:
  struct State {
    VolatileNames names;
    uint64_t capacity = UINT64_MAX;
    uint64_t random_state = 1;
    uint64_t next_number = 0;
    uint64_t power_cut_at = UINT64_MAX;
    bool power_is_cut = false;
    std::vector<FaultRule> rules;
    std::vector<TraceEntry> trace;
    Observer observer;

    // How many bytes more the files may have.
    uint64_t Free() const;
    void CutPower();
    // Cuts the power if it is time; returns the rule by which an operation fails, if there is one.
    const FaultRule* Admit(FileOp op, std::string_view path);
  };
  using Body = absl::FunctionRef<absl::Status(State* state)>;
  // What a failing operation still does, given the rule by which it fails.
  using FailedBody = absl::FunctionRef<void(const FaultRule& rule)>;

  // Runs `body` as the operation `entry`, unless the power is off or a rule makes it fail.
  absl::Status Run(TraceEntry entry, Body body) ABSL_LOCKS_EXCLUDED(mutex_) {
    return Run(std::move(entry), body, [](const FaultRule&) {});
  }
  absl::Status Run(TraceEntry entry, Body body, FailedBody failed_body) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `body` as no operation.
  template <typename Body>
  auto Inspect(Body body) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return body(&state_);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) {
    return locks_->Lock(path, mode);
  }

 private:
  absl::Status RunLocked(TraceEntry* entry, Body body, FailedBody failed_body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<MemoryLocks> locks_ = std::make_shared<MemoryLocks>();
  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
};

uint64_t FaultEnv::Disk::State::Free() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names.Newest()) used += inode->size();
  return used < capacity ? capacity - used : 0;
}

void FaultEnv::Disk::State::CutPower() {
  power_is_cut = true;
  // Threads may go on storing into their mappings.
  for (const Inode& inode : names.Reachable()) inode->Freeze();
}

const FaultRule* FaultEnv::Disk::State::Admit(FileOp op, std::string_view path) {
  if (IsNumbered(op) && !power_is_cut && next_number >= power_cut_at) CutPower();
  for (FaultRule& rule : rules) {
    if (rule.matches != nullptr && !rule.matches(op, path)) continue;
    if (rule.skip > 0) {
      --rule.skip;
      return nullptr;
    }
    if (rule.count == 0) return nullptr;
    if (rule.count != UINT64_MAX) --rule.count;
    return &rule;
  }
  return nullptr;
}

absl::Status FaultEnv::Disk::Run(TraceEntry entry, Body body, FailedBody failed_body) {
  absl::Status status;
  Observer observer;
  {
    MutexLock lock(&mutex_);
    status = RunLocked(&entry, body, failed_body);
    observer = state_.observer;
  }
  // Under no lock, so that it can ask for images.
  if (observer != nullptr) observer(entry);
  return status;
}

absl::Status FaultEnv::Disk::RunLocked(TraceEntry* entry, Body body, FailedBody failed_body) {
  const FaultRule* const rule = state_.Admit(entry->op, entry->path);
  entry->number = state_.next_number;
  absl::Status status;
  if (state_.power_is_cut) {
    status = Annotate(IoError(EIO, FileOpName(entry->op), entry->path), "power is cut");
  } else if (rule != nullptr) {
    failed_body(*rule);
    status = IoError(rule->error_number, FileOpName(entry->op), entry->path);
  } else {
    status = body(&state_);
  }
  entry->ok = status.ok();
  if (IsNumbered(entry->op) && !state_.power_is_cut) ++state_.next_number;
  if (entry->op != FileOp::kRead) state_.trace.push_back(*entry);
  return status;
}

class FaultEnv::OpenedFile final : public File {
 public:
  OpenedFile(std::string path, std::shared_ptr<Disk> disk, Inode inode, const OpenOptions& options)
      : File(std::move(path)),
        disk_(std::move(disk)),
        inode_(std::move(inode)),
        writable_(options.write),
        direct_(options.direct) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    size_t got = 0;
    EMDB_RETURN_IF_ERROR(disk_->Run(Entry(FileOp::kRead, offset, size), [&](Disk::State*) {
      EMDB_RETURN_IF_ERROR(CheckAligned("read", offset, std::string_view(buffer, size)));
      got = inode_->Read(offset, size, buffer);
      return absl::OkStatus();
    }));
    return got;
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return Write(Entry(FileOp::kWrite, offset, data.size()), data);
  }

  absl::Status WriteAtDurable(uint64_t offset, std::string_view data) override {
    return Write(Entry(FileOp::kWriteDurable, offset, data.size()), data);
  }

  absl::Status SyncData() override {
    const auto sync = [&](Disk::State*) {
      if (inode_ == nullptr) return IoError(EBADF, "fdatasync", path());
      inode_->Sync();
      return absl::OkStatus();
    };
    return disk_->Run(Entry(FileOp::kSyncData, 0, 0), sync, [&](const FaultRule& rule) {
      if (rule.drop_unsynced && inode_ != nullptr) inode_->DropUnsynced();
    });
  }

  absl::StatusOr<uint64_t> Size() const override {
    return disk_->Inspect([&](Disk::State* state) -> absl::StatusOr<uint64_t> {
      if (inode_ == nullptr) return IoError(EBADF, "fstat", path());
      if (state->power_is_cut) return IoError(EIO, "fstat", path());
      return inode_->size();
    });
  }

  absl::Status Truncate(uint64_t size) override {
    return disk_->Run(Entry(FileOp::kTruncate, 0, size), [&](Disk::State*) {
      EMDB_RETURN_IF_ERROR(CheckChange("ftruncate", size, 0));
      inode_->Resize(size);
      return absl::OkStatus();
    });
  }

  absl::Status Reserve(uint64_t offset, uint64_t size) override {
    return disk_->Run(Entry(FileOp::kReserve, offset, size), [&](Disk::State* state) {
      EMDB_RETURN_IF_ERROR(CheckChange("fallocate", offset, size));
      const uint64_t end = std::max(inode_->size(), offset + size);
      if (end - inode_->size() > state->Free()) return IoError(ENOSPC, "fallocate", path());
      inode_->Resize(end);
      return absl::OkStatus();
    });
  }

  absl::Status Close() override {
    return disk_->Inspect([&](Disk::State*) {
      if (inode_ == nullptr) return IoError(EBADF, "close", path());
      inode_.reset();
      return absl::OkStatus();
    });
  }

 private:
  TraceEntry Entry(FileOp op, uint64_t offset, uint64_t size) const {
    return {.op = op, .path = path(), .offset = offset, .size = size};
  }

  absl::Status Write(const TraceEntry& entry, std::string_view data) {
    const auto write = [&](Disk::State* state) {
      const std::string_view operation = FileOpName(entry.op);
      EMDB_RETURN_IF_ERROR(CheckChange(operation, entry.offset, data.size()));
      EMDB_RETURN_IF_ERROR(CheckAligned(operation, entry.offset, data));
      const uint64_t end = entry.offset + data.size();
      const uint64_t growth = end - std::min(end, inode_->size());
      if (growth > state->Free()) {
        WriteFirstSectors(entry.offset, data, data.size() - (growth - state->Free()));
        return IoError(ENOSPC, operation, path());
      }
      if (entry.op == FileOp::kWriteDurable) {
        inode_->WriteDurable(entry.offset, data);
      } else {
        inode_->Write(entry.offset, data);
      }
      return absl::OkStatus();
    };
    return disk_->Run(entry, write, [&](const FaultRule& rule) {
      const bool possible = CheckChange("write", entry.offset, data.size()).ok();
      if (rule.short_write && possible) WriteFirstSectors(entry.offset, data, data.size() / 2);
    });
  }

  // Writes what `data` has within whole sectors of its first `size` bytes.
  void WriteFirstSectors(uint64_t offset, std::string_view data, uint64_t size) {
    const uint64_t end = (offset + size) / VolatileFile::kSectorBytes * VolatileFile::kSectorBytes;
    if (end > offset) inode_->Write(offset, data.substr(0, static_cast<size_t>(end - offset)));
  }

  absl::Status CheckChange(std::string_view operation, uint64_t offset, uint64_t size) const {
    if (inode_ == nullptr || !writable_) return IoError(EBADF, operation, path());
    constexpr uint64_t kMaxSize = MappableBytes::kMaxSize;
    if (offset > kMaxSize || size > kMaxSize - offset) return IoError(EFBIG, operation, path());
    return absl::OkStatus();
  }

  absl::Status CheckAligned(std::string_view operation, uint64_t offset,
                            std::string_view buffer) const {
    if (inode_ == nullptr) return IoError(EBADF, operation, path());
    const uint64_t all = offset | buffer.size() | reinterpret_cast<uintptr_t>(buffer.data());
    if (!direct_ || all % kDirectAlignment == 0) return absl::OkStatus();
    return Annotate(IoError(EINVAL, operation, path()), "direct I/O that is not aligned");
  }

  const std::shared_ptr<Disk> disk_;
  Inode inode_;  // null when closed; used within operations of the disk only
  const bool writable_;
  const bool direct_;
};

class FaultEnv::OpenedDirectory final : public Directory {
 public:
  OpenedDirectory(std::string path, std::shared_ptr<Disk> disk)
      : path_(std::move(path)), disk_(std::move(disk)) {}

  absl::Status Sync() override {
    return disk_->Run({.op = FileOp::kSyncDirectory, .path = path_}, [&](Disk::State* state) {
      state->names.Sync(path_);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<std::string>> List() const override {
    std::vector<std::string> names;
    EMDB_RETURN_IF_ERROR(disk_->Run({.op = FileOp::kList, .path = path_}, [&](Disk::State* state) {
      names = state->names.List(path_);
      return absl::OkStatus();
    }));
    return names;
  }

 private:
  const std::string path_;
  const std::shared_ptr<Disk> disk_;
};

FaultEnv::FaultEnv(uint64_t random_seed) : FaultEnv(DiskImage{{}, random_seed}) {}

FaultEnv::FaultEnv(const DiskImage& image) : disk_(std::make_shared<Disk>()) {
  VolatileNames::Table table;
  for (const auto& [path, contents] : image.files) {
    table.emplace(path, std::make_shared<VolatileFile>(contents));
  }
  disk_->Inspect([&](Disk::State* state) {
    state->names = VolatileNames(table);
    state->random_state = image.random_state;
  });
}

FaultEnv::~FaultEnv() = default;

absl::StatusOr<std::unique_ptr<File>> FaultEnv::OpenFile(std::string_view path,
                                                         const OpenOptions& options) {
  if (options.create && !options.write) return IoError(EINVAL, "create without writing", path);
  const bool missing =
      disk_->Inspect([&](Disk::State* state) { return state->names.Find(path) == nullptr; });
  const FileOp op = missing && options.create ? FileOp::kCreate : FileOp::kOpen;
  Inode inode;
  EMDB_RETURN_IF_ERROR(disk_->Run({.op = op, .path = std::string(path)}, [&](Disk::State* state) {
    inode = state->names.Find(path);
    if (inode != nullptr && options.create && options.exclusive) {
      return IoError(EEXIST, "open", path);
    }
    if (inode == nullptr && !options.create) return IoError(ENOENT, "open", path);
    if (inode == nullptr) inode = state->names.Create(path);
    return absl::OkStatus();
  }));
  return std::make_unique<OpenedFile>(std::string(path), disk_, std::move(inode), options);
}

absl::StatusOr<std::unique_ptr<Directory>> FaultEnv::OpenDirectory(std::string_view path) {
  EMDB_RETURN_IF_ERROR(disk_->Run({.op = FileOp::kOpen, .path = std::string(path)},
                                  [](Disk::State*) { return absl::OkStatus(); }));
  return std::make_unique<OpenedDirectory>(std::string(path), disk_);
}

absl::StatusOr<std::unique_ptr<RingMapping>> FaultEnv::MapRing(std::string_view path, size_t size) {
  std::unique_ptr<RingMapping> ring;
  const TraceEntry entry = {.op = FileOp::kMapRing, .path = std::string(path), .size = size};
  EMDB_RETURN_IF_ERROR(disk_->Run(entry, [&](Disk::State* state) -> absl::Status {
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
  EMDB_RETURN_IF_ERROR(disk_->Run(entry, [&](Disk::State* state) -> absl::Status {
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
  return disk_->Run(entry, [&](Disk::State* state) {
    if (state->names.Find(from) == nullptr) return IoError(ENOENT, "rename", both);
    if (DirectoryOf(from) != DirectoryOf(to)) return IoError(EXDEV, "rename", both);
    if (from != to) state->names.Rename(from, to);
    return absl::OkStatus();
  });
}

absl::Status FaultEnv::Remove(std::string_view path) {
  const TraceEntry entry = {.op = FileOp::kRemove, .path = std::string(path)};
  return disk_->Run(entry, [&](Disk::State* state) {
    if (state->names.Find(path) == nullptr) return IoError(ENOENT, "unlink", path);
    state->names.Remove(path);
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> FaultEnv::Exists(std::string_view path) {
  return disk_->Inspect([&](Disk::State* state) -> absl::StatusOr<bool> {
    if (state->power_is_cut) return IoError(EIO, "stat", path);
    return state->names.Find(path) != nullptr;
  });
}

uint64_t FaultEnv::NowNanos() { return PosixEnv()->NowNanos(); }

void FaultEnv::FillRandom(char* buffer, size_t size) {
  disk_->Inspect([&](Disk::State* state) {
    for (size_t i = 0; i < size; ++i) {
      buffer[i] = static_cast<char>(SplitMix64(&state->random_state));
    }
  });
}

void FaultEnv::AddRule(FaultRule rule) {
  disk_->Inspect([&](Disk::State* state) { state->rules.push_back(std::move(rule)); });
}

void FaultEnv::ClearRules() {
  disk_->Inspect([](Disk::State* state) { state->rules.clear(); });
}

void FaultEnv::SetCapacity(uint64_t bytes) {
  disk_->Inspect([&](Disk::State* state) { state->capacity = bytes; });
}

uint64_t FaultEnv::OperationCount() const {
  return disk_->Inspect([](Disk::State* state) { return state->next_number; });
}

void FaultEnv::CutPowerAt(uint64_t n) {
  disk_->Inspect([&](Disk::State* state) {
    state->power_cut_at = n;
    if (n <= state->next_number && !state->power_is_cut) state->CutPower();
  });
}

bool FaultEnv::PowerIsCut() const {
  return disk_->Inspect([](Disk::State* state) { return state->power_is_cut; });
}

DiskImage FaultEnv::CrashImage(CrashChooser* chooser) const {
  return disk_->Inspect([&](Disk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.AfterPowerCut(chooser)) {
      image.files.emplace(path, inode->AfterPowerCut(chooser));
    }
    return image;
  });
}

DiskImage FaultEnv::SyncedImage() const {
  return disk_->Inspect([](Disk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.Synced()) {
      image.files.emplace(path, inode->Synced());
    }
    return image;
  });
}

DiskImage FaultEnv::FullImage() const {
  return disk_->Inspect([](Disk::State* state) {
    DiskImage image{{}, state->random_state};
    for (const auto& [path, inode] : state->names.Newest()) {
      image.files.emplace(path, inode->Newest());
    }
    return image;
  });
}

std::vector<FaultEnv::TraceEntry> FaultEnv::Trace() const {
  return disk_->Inspect([](Disk::State* state) { return state->trace; });
}

void FaultEnv::SetObserver(Observer observer) {
  disk_->Inspect([&](Disk::State* state) { state->observer = std::move(observer); });
}

}  // namespace emdb
