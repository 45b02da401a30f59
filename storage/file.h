// File, Directory, RingMapping and FileLock: what the engine asks of a file system. Every byte it
// reads or writes goes through these, so that a test can make each operation fail, lose power, or
// hand back damaged bytes.
//
// Errors are made by IoError (storage/status.h) and name the operation and the path. Nothing here
// retries a sync.

#ifndef EMDB_STORAGE_FILE_H_
#define EMDB_STORAGE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace emdb {

// Buffers, offsets and lengths of files opened with OpenOptions::direct are multiples of this.
inline constexpr size_t kDirectAlignment = 4096;

// One of the pieces that File::MultiRead reads, and of those that File::MultiWrite writes.
struct ReadRequest {
  uint64_t offset = 0;
  size_t size = 0;
  char* buffer = nullptr;
};
struct WriteRequest {
  uint64_t offset = 0;
  std::string_view data;
};

// An open file. Positional reads and writes are safe from many threads at once; Close is called
// once, last.
class File {
 public:
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Reads up to `size` bytes at `offset` into `buffer`; returns how many: fewer only at the end of
  // the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* buffer) const = 0;

  // Writes all of `data` at `offset`, making the file longer if needed. On an error any part may be
  // written.
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;

  // Reads all of each, as ReadFully does: in any order, and side by side where the system can,
  // which takes a fraction of the time. On return none is being read any more.
  virtual absl::Status MultiRead(absl::Span<const ReadRequest> requests) const;

  // Writes all of them, which do not overlap, as WriteAt does each: in any order, and side by side
  // where the system can. On an error any part of any of them may be written; on return none is
  // being written any more. If the process is killed meanwhile they go on; see Env::Lock.
  virtual absl::Status MultiWrite(absl::Span<const WriteRequest> requests);

  // Durable on return: all written bytes and what is needed to read them back (fdatasync). After an
  // error the kernel may have dropped the dirty pages: the caller must not call it again and
  // believe an OK.
  virtual absl::Status SyncData() = 0;

  virtual absl::StatusOr<uint64_t> Size() const = 0;

  // Sets the size; a longer file reads as zeros there.
  virtual absl::Status Truncate(uint64_t size) = 0;

  // Reserves space for [offset, offset + size), making the file longer if needed; unwritten bytes
  // read as zeros (fallocate). ResourceExhausted when there is no space. Where the file system
  // cannot, it writes zeros.
  virtual absl::Status Reserve(uint64_t offset, uint64_t size) = 0;

  // Reports errors that the destructor cannot.
  virtual absl::Status Close() = 0;

  const std::string& path() const { return path_; }

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}

 private:
  const std::string path_;
};

// Reads exactly `size` bytes; DataLoss naming what was there if the file ends before.
absl::Status ReadFully(const File& file, uint64_t offset, size_t size, char* buffer);

// An open directory.
class Directory {
 public:
  virtual ~Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Durable on return: all entries made, renamed and removed in it before the call (fsync).
  virtual absl::Status Sync() = 0;

  // Names (without the path) of its entries, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List() const = 0;

 protected:
  Directory() = default;
};

// A file mapped twice in a row: bytes [0, size) and [size, 2 * size) are the same memory, so that a
// piece that wraps around the end of the ring is still contiguous. Shared with the file: what is
// stored survives SIGKILL of the process at once. It is never synced: after a power cut the file
// may hold any mixture of old and new.
class RingMapping {
 public:
  virtual ~RingMapping() = default;
  RingMapping(const RingMapping&) = delete;
  RingMapping& operator=(const RingMapping&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }

 protected:
  RingMapping(char* data, size_t size) : data_(data), size_(size) {}
  char* const data_;
  const size_t size_;
};

// Held from Env::Lock until it is destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 protected:
  FileLock() = default;
};

}  // namespace emdb

#endif  // EMDB_STORAGE_FILE_H_
