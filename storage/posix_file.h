// PosixFile and PosixDirectory: File and Directory on descriptors of the operating system.

#ifndef EMDB_STORAGE_POSIX_FILE_H_
#define EMDB_STORAGE_POSIX_FILE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "storage/env.h"
#include "storage/file.h"
#include "storage/file_descriptor.h"
#include "storage/io_queue.h"
#include "storage/mutex.h"

namespace emdb {

// open(2) with O_CLOEXEC, again after EINTR, away from the standard streams. The status names
// `path`.
absl::StatusOr<FileDescriptor> OpenDescriptor(const std::string& path, int flags);

class PosixFile final : public File {
 public:
  static absl::StatusOr<std::unique_ptr<PosixFile>> Open(std::string_view path,
                                                         const OpenOptions& options);
  // For a direct file: writes that can outlive the process go through `fd` from now on, another
  // description of the same file (PosixLocks::DescriptorFor), which is made direct.
  absl::Status WriteThrough(FileDescriptor fd);
  int descriptor() const { return fd_.get(); }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const override;
  absl::Status WriteAt(uint64_t offset, std::string_view data) override;
  absl::Status MultiRead(absl::Span<const ReadRequest> requests) const override;
  absl::Status MultiWrite(absl::Span<const WriteRequest> requests) override;
  absl::Status SyncData() override;
  absl::StatusOr<uint64_t> Size() const override;
  absl::Status Truncate(uint64_t size) override;
  absl::Status Reserve(uint64_t offset, uint64_t size) override;
  absl::Status Close() override;

 private:
  PosixFile(std::string path, FileDescriptor fd, bool direct)
      : File(std::move(path)), fd_(std::move(fd)), direct_(direct) {}

  // Calls `work` with a queue, if there can be one; it returns whether the queue works.
  void WithQueue(absl::FunctionRef<bool(IoQueue*)> work) const ABSL_LOCKS_EXCLUDED(queues_mutex_);

  static constexpr size_t kMaxIdleQueues = 4;

  FileDescriptor fd_;
  FileDescriptor write_through_fd_;  // invalid: fd_ is for all
  const bool direct_;
  mutable Mutex queues_mutex_;
  mutable bool has_queues_ ABSL_GUARDED_BY(queues_mutex_) = true;  // as far as is known
  // One for each thread that needed one at the same time, up to kMaxIdleQueues.
  mutable std::vector<std::unique_ptr<IoQueue>> idle_queues_ ABSL_GUARDED_BY(queues_mutex_);
};

class PosixDirectory final : public Directory {
 public:
  static absl::StatusOr<std::unique_ptr<Directory>> Open(std::string_view path);

  absl::Status Sync() override;
  absl::StatusOr<std::vector<std::string>> List() const override;

 private:
  PosixDirectory(std::string path, FileDescriptor fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  const std::string path_;
  const FileDescriptor fd_;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_POSIX_FILE_H_
