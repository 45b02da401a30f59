// FaultEnv: a simulated disk in memory, for tests. It knows what was synced and what was not, so it can show every
// state that a crash may leave, and it can make any operation fail.
//
// The disk it models, and nothing kinder:
//  1. Bytes are durable after SyncData of their file (or WriteAtDurable) returned OK; a file's name, a rename and a
//     removal after Directory::Sync of their directory. A synced file whose name is not durable can be lost whole.
//  2. Unsynced writes may reach the disk or not, each 512-byte sector of each on its own, in any order; a sector is
//     old or new, never mixed. Truncate and Reserve are writes in this sense.
//  3. Unsynced directory changes may be kept or lost, each on its own, but for a rename, which is atomic.
//  4. The ring mapping is never synced: after a power cut each of its 4096-byte pages is as any past moment left it
//     (the model keeps: all zeros or last clean state, and the newest bytes), after a killed process it is whole.
//  5. After a failed sync the unsynced writes of that file may be dropped from the cache too (see
//     FaultRule::drop_unsynced): they then read as before, and the next sync says OK.
//
// Thread safe. Operations are numbered from 0 in the order they take effect, and recorded in a trace.

#ifndef EMDB_STORAGE_FAULT_ENV_H_
#define EMDB_STORAGE_FAULT_ENV_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/env.h"

namespace emdb {

enum class FileOp {
  kOpen, kCreate, kRead, kWrite, kWriteDurable, kSyncData, kTruncate, kReserve, kRename, kRemove,
  kSyncDirectory, kMapRing, kLock, kList,
};
std::string_view FileOpName(FileOp op);

// Makes operations fail. The first rule that matches an operation decides.
struct FaultRule {
  std::function<bool(FileOp op, std::string_view path)> matches;  // null: every one
  uint64_t skip = 0;          // let this many matching ones through first
  uint64_t count = UINT64_MAX;  // then fail this many
  int error_number = 5;       // EIO
  bool short_write = false;   // a failing write writes its first half (whole sectors) before it fails
  bool drop_unsynced = false; // a failing sync forgets the file's unsynced writes (the kernel's behaviour)
};

// The durable state that a crash leaves: whole files by path.
using DiskImage = std::map<std::string, std::string>;

class FaultEnv : public Env {
 public:
  struct TraceEntry {
    FileOp op;
    std::string path;
    std::string target;  // of a rename
    uint64_t offset = 0;
    uint64_t size = 0;
    bool ok = true;
  };

  // What a power cut does with each thing that is not durable; `Choose` returns a number below `n`. 0 always means
  // "lost". The callers are asked once for each sector of each unsynced write, for each directory change, and
  // for each page of a ring.
  class CrashChooser {
   public:
    virtual ~CrashChooser() = default;
    virtual uint32_t Choose(uint32_t n) = 0;
  };

  FaultEnv();
  // A disk that holds `image`, all of it durable.
  explicit FaultEnv(const DiskImage& image, uint64_t random_seed = 1);
  ~FaultEnv() override;

  // The Env interface; see env.h.
  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path, const OpenOptions& options) override;
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override;
  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path, size_t size) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) override;
  absl::Status Rename(std::string_view from, std::string_view to) override;
  absl::Status Remove(std::string_view path) override;
  absl::StatusOr<bool> Exists(std::string_view path) override;
  uint64_t NowNanos() override;
  void FillRandom(char* buffer, size_t size) override;

  // Faults.
  void AddRule(FaultRule rule);
  void ClearRules();
  // All files together may hold this many bytes; beyond it writes and reservations fail with ENOSPC.
  void SetCapacity(uint64_t bytes);

  // How many operations that change the disk or sync (all but kRead, kOpen, kList, kLock) have taken effect.
  uint64_t OperationCount() const;
  // Power is cut before operation number `n` (counted as OperationCount does): it and all later ones fail with
  // EIO, and CrashImage shows the disk as it was then. UINT64_MAX: never.
  void CutPowerAt(uint64_t n);

  // The disk after a power cut now (or at CutPowerAt's moment), unsynced things decided by `chooser`.
  DiskImage CrashImage(CrashChooser* chooser) const;
  // With nothing that was not synced; with everything.
  DiskImage SyncedImage() const;
  DiskImage FullImage() const;  // also what a killed process (not a power cut) leaves

  std::vector<TraceEntry> Trace() const;
  // Called under no lock after each recorded operation, with its entry: for monitors of ordering rules.
  void SetObserver(std::function<void(const TraceEntry&)> observer);

 private:
  class Disk;
  std::shared_ptr<Disk> disk_;
};

// Chooses by a seeded generator: each thing is lost, kept, or partly kept with equal odds.
class RandomChooser : public FaultEnv::CrashChooser {
 public:
  explicit RandomChooser(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint32_t Choose(uint32_t n) override;

 private:
  uint64_t state_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FAULT_ENV_H_
