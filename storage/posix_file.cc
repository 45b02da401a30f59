#include "storage/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/aligned_buffer.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr mode_t kNewFileMode = 0644;

// Calls `call` until it is not interrupted by a signal. Not for syncs and close(), which must never
// be called twice.
template <typename Call>
auto RetryOnInterrupt(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// Writes all of `data`. Returns 0 or an error number.
int WriteFully(int fd, uint64_t offset, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = RetryOnInterrupt(
        [&] { return ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
    if (written < 0) return errno;
    if (written == 0) return EIO;
    data.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return 0;
}

// Whether the result of an IoQueue is the request's error. What the queue did not try, was stopped
// in or does not know is done by a call of its own.
bool IsError(int64_t result) {
  const bool is_undone =
      result == -EINTR || result == -EAGAIN || result == -EINVAL || result == -EOPNOTSUPP;
  return result < 0 && !is_undone;
}

absl::StatusOr<uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return IoError(errno, "fstat", path);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status SetSize(int fd, const std::string& path, uint64_t size) {
  if (RetryOnInterrupt([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }) != 0) {
    return IoError(errno, "ftruncate", path);
  }
  return absl::OkStatus();
}

// Makes the file at least `end` bytes long with written zeros.
absl::Status ExtendWithZeros(int fd, const std::string& path, uint64_t end) {
  constexpr uint64_t kPieceBytes = 1 << 20;
  EMDB_ASSIGN_OR_RETURN(uint64_t offset, SizeOf(fd, path));
  if (offset >= end) return absl::OkStatus();

  // Writes must be aligned where the file is open for direct I/O; the rest of the last block is
  // there already.
  const uint64_t unaligned = offset % kDirectAlignment;
  if (unaligned != 0) {
    offset = std::min(end, offset - unaligned + kDirectAlignment);
    EMDB_RETURN_IF_ERROR(SetSize(fd, path, offset));
  }
  const AlignedBuffer zeros(kPieceBytes);
  std::memset(zeros.data(), 0, zeros.size());
  while (offset < end) {
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(end - offset, zeros.size()));
    const int error = WriteFully(fd, offset, std::string_view(zeros.data(), piece));
    if (error != 0) return IoError(error, "reserve by writing zeros", path);
    offset += piece;
  }
  return absl::OkStatus();
}

// Reserves [offset, offset + size) with fallocate(2), making the file longer if needed. Where the
// file system cannot do that, writes zeros behind the end of the file; then holes before it stay
// holes.
absl::Status ReserveSpace(int fd, const std::string& path, uint64_t offset, uint64_t size) {
  if (size == 0) return absl::OkStatus();
  const int result = RetryOnInterrupt(
      [&] { return ::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(size)); });
  if (result == 0) return absl::OkStatus();
  if (errno != EOPNOTSUPP && errno != ENOSYS) return IoError(errno, "fallocate", path);
  return ExtendWithZeros(fd, path, offset + size);
}

}  // namespace

absl::StatusOr<FileDescriptor> OpenDescriptor(const std::string& path, int flags) {
  FileDescriptor fd = AwayFromStandardStreams(FileDescriptor(
      RetryOnInterrupt([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kNewFileMode); })));
  if (!fd.valid()) return IoError(errno, "open", path);
  return fd;
}

absl::StatusOr<std::unique_ptr<PosixFile>> PosixFile::Open(std::string_view path,
                                                           const OpenOptions& options) {
  std::string name(path);
  if (options.create && !options.write) return IoError(EINVAL, "create without writing", name);
  int flags = options.write ? O_RDWR : O_RDONLY;
  if (options.create) flags |= O_CREAT;
  if (options.create && options.exclusive) flags |= O_EXCL;
  if (options.direct) flags |= O_DIRECT;
  absl::StatusOr<FileDescriptor> fd = OpenDescriptor(name, flags);
  if (!fd.ok()) {
    if (!options.direct || !absl::IsInvalidArgument(fd.status())) return fd.status();
    return Annotate(fd.status(), "this file system has no direct I/O (O_DIRECT)");
  }
  return std::unique_ptr<PosixFile>(new PosixFile(std::move(name), *std::move(fd), options.direct));
}

absl::Status PosixFile::WriteThrough(FileDescriptor fd) {
  if (::fcntl(fd.get(), F_SETFL, O_DIRECT) != 0) return IoError(errno, "fcntl", path());
  write_through_fd_ = std::move(fd);
  return absl::OkStatus();
}

absl::StatusOr<size_t> PosixFile::ReadAt(uint64_t offset, size_t size, char* buffer) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = RetryOnInterrupt([&] {
      return ::pread(fd_.get(), buffer + done, size - done, static_cast<off_t>(offset + done));
    });
    if (got < 0) return IoError(errno, "read", path());
    done += static_cast<size_t>(got);
    if (got == 0) break;
    // A direct read is cut at an unaligned place only by the end of the file, and must not go on
    // from there. A buffered one may also have come to a bad sector: to go on tells.
    if (direct_ && done < size && static_cast<size_t>(got) % kDirectAlignment != 0) break;
  }
  return done;
}

absl::Status PosixFile::WriteAt(uint64_t offset, std::string_view data) {
  const int error = WriteFully(fd_.get(), offset, data);
  return error == 0 ? absl::OkStatus() : IoError(error, "write", path());
}

void PosixFile::WithQueue(absl::FunctionRef<bool(IoQueue*)> work) const {
  std::unique_ptr<IoQueue> queue;
  {
    MutexLock lock(&queues_mutex_);
    if (!has_queues_) return;
    if (!idle_queues_.empty()) {
      queue = std::move(idle_queues_.back());
      idle_queues_.pop_back();
    }
  }
  if (queue == nullptr) queue = IoQueue::Create();
  const bool works = queue != nullptr && work(queue.get());
  MutexLock lock(&queues_mutex_);
  if (queue == nullptr) has_queues_ = false;
  if (works && idle_queues_.size() < kMaxIdleQueues) idle_queues_.push_back(std::move(queue));
}

absl::Status PosixFile::MultiRead(absl::Span<const ReadRequest> requests) const {
  std::vector<int64_t> results(requests.size(), 0);
  if (requests.size() > 1) {
    WithQueue(
        [&](IoQueue* queue) { return queue->Read(fd_.get(), requests, absl::MakeSpan(results)); });
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const ReadRequest& request = requests[i];
    if (results[i] == static_cast<int64_t>(request.size)) continue;
    if (IsError(results[i])) return IoError(static_cast<int>(-results[i]), "read", path());
    EMDB_RETURN_IF_ERROR(ReadFully(*this, request.offset, request.size, request.buffer));
  }
  return absl::OkStatus();
}

absl::Status PosixFile::MultiWrite(absl::Span<const WriteRequest> requests) {
  std::vector<int64_t> results(requests.size(), 0);
  // Buffered ones are copies in memory, one after the other as fast.
  if (requests.size() > 1 && direct_) {
    const int fd = write_through_fd_.valid() ? write_through_fd_.get() : fd_.get();
    WithQueue([&](IoQueue* queue) { return queue->Write(fd, requests, absl::MakeSpan(results)); });
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const WriteRequest& request = requests[i];
    if (results[i] == static_cast<int64_t>(request.data.size())) continue;
    if (IsError(results[i])) return IoError(static_cast<int>(-results[i]), "write", path());
    EMDB_RETURN_IF_ERROR(WriteAt(request.offset, request.data));
  }
  return absl::OkStatus();
}

absl::Status PosixFile::SyncData() {
  // Not even after EINTR a second time: an error may have been reported and cleared by the first.
  if (::fdatasync(fd_.get()) != 0) return IoError(errno, "fdatasync", path());
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PosixFile::Size() const { return SizeOf(fd_.get(), path()); }

absl::Status PosixFile::Truncate(uint64_t size) { return SetSize(fd_.get(), path(), size); }

absl::Status PosixFile::Reserve(uint64_t offset, uint64_t size) {
  return ReserveSpace(fd_.get(), path(), offset, size);
}

absl::Status PosixFile::Close() {
  write_through_fd_ = FileDescriptor();
  // Linux frees the descriptor even when it says EINTR, so that is no error and no reason to close
  // again.
  if (::close(fd_.Release()) != 0 && errno != EINTR) return IoError(errno, "close", path());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Directory>> PosixDirectory::Open(std::string_view path) {
  std::string name(path);
  EMDB_ASSIGN_OR_RETURN(FileDescriptor fd, OpenDescriptor(name, O_RDONLY | O_DIRECTORY));
  return std::unique_ptr<Directory>(new PosixDirectory(std::move(name), std::move(fd)));
}

absl::Status PosixDirectory::Sync() {
  if (::fsync(fd_.get()) != 0) return IoError(errno, "fsync directory", path_);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixDirectory::List() const {
  // An open directory has one read position: listing through a descriptor of its own keeps threads
  // apart.
  FileDescriptor fd = AwayFromStandardStreams(
      FileDescriptor(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!fd.valid()) return IoError(errno, "open directory", path_);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
  if (stream == nullptr) return IoError(errno, "fdopendir", path_);
  fd.Release();

  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return IoError(errno, "readdir", path_);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace emdb
