#include "storage/posix_ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "storage/aligned_buffer.h"
#include "storage/check.h"
#include "storage/posix_file.h"
#include "storage/status.h"

namespace emdb {
namespace {

class PosixRing final : public RingMapping {
 public:
  // Takes over the reservation of 2 * size bytes at `data`.
  PosixRing(char* data, size_t size) : RingMapping(data, size) {}
  ~PosixRing() override { ::munmap(data_, 2 * size_); }
};

absl::StatusOr<std::unique_ptr<RingMapping>> MapTwice(int fd, const std::string& path,
                                                      size_t size) {
  void* const reserved =
      ::mmap(nullptr, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return IoError(errno, "mmap", path);
  // From here on the reservation is unmapped as a whole, whatever has been mapped over it.
  auto ring = std::make_unique<PosixRing>(static_cast<char*>(reserved), size);
  for (char* half : {ring->data(), ring->data() + size}) {
    if (::mmap(half, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
      return IoError(errno, "mmap", path);
    }
  }
  return ring;
}

// Reads [0, size) of `file`, which turns a page that cannot be read into an error.
absl::Status CheckReadable(const File& file, size_t size) {
  // Small enough to stay in the processor's cache, which makes this as fast as the page cache.
  constexpr size_t kPieceBytes = 64 << 10;
  const AlignedBuffer piece(std::min(kPieceBytes, size));
  for (size_t offset = 0; offset < size; offset += piece.size()) {
    const size_t part = std::min(piece.size(), size - offset);
    EMDB_RETURN_IF_ERROR(ReadFully(file, offset, part, piece.data()));
  }
  return absl::OkStatus();
}

absl::Status CheckSize(std::string_view path, size_t size) {
  const size_t page_size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (size != 0 && size % page_size == 0) return absl::OkStatus();
  return IoError(EINVAL, "map a ring of no whole number of pages from", path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingMapping>> MapPosixRing(std::string_view path, size_t size) {
  EMDB_RETURN_IF_ERROR(CheckSize(path, size));
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                        PosixFile::Open(path, {.write = true, .create = true}));
  EMDB_ASSIGN_OR_RETURN(const uint64_t old_size, file->Size());
  if (old_size > size) EMDB_RETURN_IF_ERROR(file->Truncate(size));
  // A store into a page that has no space on the disk would end the process with SIGBUS.
  EMDB_RETURN_IF_ERROR(file->Reserve(0, size));

  EMDB_ASSIGN_OR_RETURN(const FileDescriptor fd, OpenDescriptor(file->path(), O_RDWR));
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<RingMapping> ring, MapTwice(fd.get(), file->path(), size));
  // So would touching a page that cannot be read. Where the kernel cannot try all of them (before
  // 5.14), or has found such a page, reading tells.
  if (::madvise(ring->data(), size, MADV_POPULATE_READ) != 0) {
    EMDB_RETURN_IF_ERROR(CheckReadable(*file, size));
  }
  return ring;
}

absl::StatusOr<std::shared_ptr<RingMemory>> RingMemory::Create(std::string_view name, size_t size) {
  EMDB_RETURN_IF_ERROR(CheckSize(name, size));
  std::string path(name);
  FileDescriptor fd =
      AwayFromStandardStreams(FileDescriptor(::memfd_create("emdb ring", MFD_CLOEXEC)));
  if (!fd.valid()) return IoError(errno, "memfd_create", path);
  // Pages are taken when they are touched, as those of all other memory.
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return IoError(errno, "resize", path);
  return std::shared_ptr<RingMemory>(new RingMemory(std::move(path), std::move(fd), size));
}

absl::StatusOr<std::unique_ptr<RingMapping>> RingMemory::Map() const {
  return MapTwice(fd_.get(), name_, size_);
}

void RingMemory::Read(uint64_t offset, size_t size, char* out) const {
  EMDB_CHECK(offset + size <= size_);
  const ssize_t got = ::pread(fd_.get(), out, size, static_cast<off_t>(offset));
  EMDB_CHECK(got == static_cast<ssize_t>(size));
}

std::optional<RingMemory::Range> RingMemory::NextUsed(uint64_t offset) const {
  const off_t begin = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
  if (begin < 0) return std::nullopt;  // ENXIO: only zeros from here on
  const off_t end = ::lseek(fd_.get(), begin, SEEK_HOLE);
  EMDB_CHECK(end > begin);  // the end of the file is a hole
  return Range{static_cast<uint64_t>(begin), static_cast<size_t>(end - begin)};
}

void RingMemory::Write(uint64_t offset, std::string_view data) {
  EMDB_CHECK(offset + data.size() <= size_);
  const ssize_t put = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
  EMDB_CHECK(put == static_cast<ssize_t>(data.size()));
}

}  // namespace emdb
