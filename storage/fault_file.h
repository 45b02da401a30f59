// FaultFile and FaultDirectory: files and directories that are open on a FaultDisk.

#ifndef EMDB_STORAGE_FAULT_FILE_H_
#define EMDB_STORAGE_FAULT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/fault_disk.h"
#include "storage/file.h"
#include "storage/file_op.h"
#include "storage/volatile_names.h"

namespace emdb {

class FaultFile final : public File {
 public:
  FaultFile(std::string path, std::shared_ptr<FaultDisk> disk, VolatileNames::Inode inode,
            const OpenOptions& options)
      : File(std::move(path)),
        disk_(std::move(disk)),
        inode_(std::move(inode)),
        writable_(options.write),
        direct_(options.direct) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override;
  absl::Status WriteAt(uint64_t offset, std::string_view data) override;
  absl::Status SyncData() override;
  absl::StatusOr<uint64_t> Size() const override;
  absl::Status Truncate(uint64_t size) override;
  absl::Status Reserve(uint64_t offset, uint64_t size) override;
  absl::Status Close() override;

 private:
  TraceEntry Entry(FileOp op, uint64_t offset, uint64_t size) const;
  // Writes what `data` has within whole sectors of its first `size` bytes.
  void WriteFirstSectors(uint64_t offset, std::string_view data, uint64_t size);

  absl::Status CheckChange(std::string_view operation, uint64_t offset, uint64_t size) const;
  absl::Status CheckAligned(std::string_view operation, uint64_t offset,
                            std::string_view buffer) const;

  const std::shared_ptr<FaultDisk> disk_;
  VolatileNames::Inode inode_;  // null when closed; used within operations of the disk only
  const bool writable_;
  const bool direct_;
};

class FaultDirectory final : public Directory {
 public:
  FaultDirectory(std::string path, std::shared_ptr<FaultDisk> disk)
      : path_(std::move(path)), disk_(std::move(disk)) {}

  absl::Status Sync() override;
  absl::StatusOr<std::vector<std::string>> List() const override;

 private:
  const std::string path_;
  const std::shared_ptr<FaultDisk> disk_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FAULT_FILE_H_
