// FaultEnv: a simulated disk in memory, for tests. It knows what was synced and what was not, so it
// can show every state that a crash may leave, and it can make any operation fail.
//
// The disk it models, and nothing kinder:
//  1. The bytes of a file are durable when SyncData of it has returned OK; the name of a file, a
//     rename and a removal when Directory::Sync of their directory has. A synced file whose name is
//     not durable can be lost whole.
//  2. Each 512-byte sector that has unsynced writes is found after a power cut as it was durable,
//     or as any one of those writes left it, whatever the other sectors are; it is never mixed. The
//     size of the file is found as it was durable or as any unsynced change left it; what has a
//     size and no data reads as zeros.
//  3. Each unsynced directory change is found or not, whatever the others are; a rename is one
//     change: the new name without the old one, or the other way round. Renames stay within their
//     directory (EXDEV otherwise).
//  4. A mapped ring is never synced: after a power cut each of its 4096-byte pages is the last
//     durable one or the newest one. After a killed process it is whole.
//  5. After a failed sync the unsynced writes of that file may be gone from the cache's list of
//     what to write (FaultRule::drop_unsynced): they still read as written, the next sync says OK
//     without writing them, and a power cut takes them away. Or they read as what was durable from
//     then on (FaultRule::reads_old), as when the page cache has let go of them. The unsynced
//     changes of a directory may be gone from that list likewise: they are still seen.
//
// Every path's parent directory is there; paths are compared as strings. Files opened as direct
// refuse what is not aligned.
//
// Thread safe. Operations that change the disk or sync it (all but kRead, kOpen, kList and kLock),
// failed ones too, are numbered from 0. To see a crash at each of them, either run the work once
// for each number with CutPowerAt, or run it once and take CrashImages in the observer.

#ifndef EMDB_STORAGE_FAULT_ENV_H_
#define EMDB_STORAGE_FAULT_ENV_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/crash_chooser.h"
#include "storage/disk_image.h"
#include "storage/env.h"
#include "storage/fault_disk.h"
#include "storage/file_op.h"

namespace emdb {

class FaultEnv : public Env {
 public:
  using TraceEntry = emdb::TraceEntry;
  using Observer = FaultDisk::Observer;

  // An empty disk. The seed is that of FillRandom.
  explicit FaultEnv(uint64_t random_seed = 1);
  // A disk that holds `image`, all of it durable. FillRandom goes on where the env of the image
  // was, so that no salt and no id is ever handed out twice.
  explicit FaultEnv(const DiskImage& image);
  ~FaultEnv() override;

  // The Env interface; see env.h.
  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override;
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(std::string_view path) override;
  absl::StatusOr<std::unique_ptr<RingMapping>> MapRing(std::string_view path, size_t size) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path, LockMode mode) override;
  absl::Status Rename(std::string_view from, std::string_view to) override;
  absl::Status Remove(std::string_view path) override;
  absl::StatusOr<bool> Exists(std::string_view path) override;
  // Real, because threads wait in real time.
  uint64_t NowNanos() override;
  void FillRandom(char* buffer, size_t size) override;

  void AddRule(FaultRule rule);
  void ClearRules();
  // The sizes of all files together may reach this many bytes. A write beyond it writes what fits,
  // up to a sector's end, and fails with ENOSPC; a reservation or a ring beyond it fails.
  void SetCapacity(uint64_t bytes);

  // The number that the next numbered operation gets.
  uint64_t OperationCount() const;
  // Power is cut for good before operation number `n`, at once if that was already: from then on
  // all operations fail with EIO, and the images show the disk as it was then. UINT64_MAX: not.
  void CutPowerAt(uint64_t n);
  bool PowerIsCut() const;

  // The disk after a power cut now (or when it was cut), unsynced things decided by `chooser`,
  // which is asked for each of them that makes a difference, in a fixed order; 0 stands for what
  // was durable.
  DiskImage CrashImage(CrashChooser* chooser) const;
  // With nothing that was not synced.
  DiskImage SyncedImage() const;
  // With everything: what a killed process, not a power cut, leaves.
  DiskImage FullImage() const;

  // All operations so far but for reads.
  std::vector<TraceEntry> Trace() const;
  // Called after each operation, reads too, by its thread and under no lock. It may use this env.
  void SetObserver(Observer observer);

 private:
  const std::shared_ptr<FaultDisk> disk_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FAULT_ENV_H_
