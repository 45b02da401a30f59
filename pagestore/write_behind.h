// WriteBehind: writes buffers of pages on a thread of its own, so that who makes them can go on
// with the next ones. A disk takes as long for a large write as a merge takes to make it: side by
// side they take half. The pages of a buffer may belong to many places; they are written together.
//
// A disk serves what is under way side by side, so that a commit that comes meanwhile takes as long
// as a buffer does. While somebody else wants the disk a buffer is written in pieces, one after the
// other.
//
// Buffers are written one at a time, in the order they were given; after an error none is written
// any more. Nothing is synced. The thread is started with the first buffer; as long as there can be
// none, buffers are written by the caller.
//
// For one thread that fills buffers.

#ifndef EMDB_PAGESTORE_WRITE_BEHIND_H_
#define EMDB_PAGESTORE_WRITE_BEHIND_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"
#include "storage/aligned_buffer.h"
#include "storage/mutex.h"

namespace emdb {

class WriteBehind {
 public:
  // Of a piece of a buffer.
  static constexpr size_t kPieceBytes = size_t{128} << 10;

  // `file` outlives it. Takes memory for kBuffers buffers, each when it is first filled. The thread
  // that writes asks `disk_is_wanted`, if given, before each piece.
  WriteBehind(PageFile* file, size_t buffer_bytes, std::function<bool()> disk_is_wanted = nullptr)
      : file_(file), buffer_bytes_(buffer_bytes), disk_is_wanted_(std::move(disk_is_wanted)) {}
  // Waits for what is being written.
  ~WriteBehind() ABSL_LOCKS_EXCLUDED(mutex_);
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // To be filled up to the next Write.
  char* buffer();
  // Writes what buffer() begins with, the pages of all `runs` one behind the other, some time
  // before the next Finish; then buffer() is another one. The error of an earlier write.
  absl::Status Write(absl::Span<const PageRun> runs) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until all is written. The first error there was.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One is being filled, one written, and one evens out their speeds.
  static constexpr size_t kBuffers = 3;
  using Job = std::vector<PageRun>;

  absl::Status WriteHere(Job job) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WriteBuffer(Job job, const AlignedBuffer& buffer);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  PageFile* const file_;
  const size_t buffer_bytes_;
  const std::function<bool()> disk_is_wanted_;
  // Taken in turn. Not guarded: those of jobs belong to the thread, the next one to the caller.
  std::array<AlignedBuffer, kBuffers> buffers_;
  size_t filling_ = 0;

  Mutex mutex_;
  CondVar work_;  // for the thread
  CondVar done_;  // a job is
  // Of the buffers in front of filling_, in turn.
  std::array<Job, kBuffers> jobs_ ABSL_GUARDED_BY(mutex_);
  size_t jobs_left_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_WRITE_BEHIND_H_
