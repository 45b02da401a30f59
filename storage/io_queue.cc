#include "storage/io_queue.h"

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "storage/check.h"
#include "storage/file_descriptor.h"

namespace emdb {
namespace {

// Of one request: the length of a submission has 32 bits. The rest is the caller's.
unsigned LengthOf(size_t size) {
  constexpr size_t kMaxBytes = size_t{1} << 30;
  return static_cast<unsigned>(std::min(size, kMaxBytes));
}

}  // namespace

void IoQueue::Closer::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

IoQueue::IoQueue(std::unique_ptr<io_uring, Closer> ring) : ring_(std::move(ring)) {}

std::unique_ptr<IoQueue> IoQueue::Create() {
  auto made = std::make_unique<io_uring>();
  if (io_uring_queue_init(kDepth, made.get(), 0) != 0) return nullptr;
  std::unique_ptr<io_uring, Closer> ring(made.release());
  FileDescriptor fd = AwayFromStandardStreams(FileDescriptor(ring->ring_fd));
  const bool is_valid = fd.valid();
  ring->ring_fd = ring->enter_ring_fd = fd.Release();
  return is_valid ? std::unique_ptr<IoQueue>(new IoQueue(std::move(ring))) : nullptr;
}

bool IoQueue::Read(int fd, absl::Span<const ReadRequest> requests, absl::Span<int64_t> results) {
  return Run(
      [fd, requests](size_t i, io_uring_sqe* entry) {
        const ReadRequest& request = requests[i];
        io_uring_prep_read(entry, fd, request.buffer, LengthOf(request.size), request.offset);
      },
      results);
}

bool IoQueue::Write(int fd, absl::Span<const WriteRequest> requests, absl::Span<int64_t> results) {
  return Run(
      [fd, requests](size_t i, io_uring_sqe* entry) {
        const WriteRequest& request = requests[i];
        io_uring_prep_write(entry, fd, request.data.data(), LengthOf(request.data.size()),
                            request.offset);
      },
      results);
}

bool IoQueue::Run(Prepare prepare, absl::Span<int64_t> results) {
  for (size_t at = 0; at < results.size(); at += kDepth) {
    if (!RunSome(prepare, at, std::min(at + kDepth, results.size()), results)) return false;
  }
  return true;
}

bool IoQueue::RunSome(Prepare prepare, size_t begin, size_t end, absl::Span<int64_t> results) {
  for (size_t i = begin; i < end; ++i) {
    io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());
    EMDB_CHECK(entry != nullptr);  // the queue was empty, and has room for kDepth
    prepare(i, entry);
    io_uring_sqe_set_data64(entry, i);
  }
  const size_t count = end - begin;
  bool is_usable = true;
  size_t ended = 0;
  const auto under_way = [&] { return count - io_uring_sq_ready(ring_.get()) - ended; };
  // One call of the kernel, if nothing interrupts it.
  while (is_usable && ended < count) {
    const auto left = static_cast<unsigned>(count - ended);
    const int result = io_uring_submit_and_wait(ring_.get(), left);
    is_usable = result >= 0 || result == -EINTR;
    ended += TakeResults(results);
  }
  // What the kernel has taken still reads the caller's memory, and writes to the file.
  while (under_way() > 0) {
    io_uring_cqe* completion = nullptr;
    if (io_uring_wait_cqe(ring_.get(), &completion) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ended += TakeResults(results);
  }
  return is_usable;
}

size_t IoQueue::TakeResults(absl::Span<int64_t> results) {
  size_t count = 0;
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(ring_.get(), &completion) == 0) {
    results[io_uring_cqe_get_data64(completion)] = completion->res;
    io_uring_cqe_seen(ring_.get(), completion);
    ++count;
  }
  return count;
}

}  // namespace emdb
