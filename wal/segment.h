// Segment: one file of the log, open. It puts bytes of the stream at their place, rewrites the
// first block, and syncs; it does not know frames.
//
// Thread safe, but for Write, which is for one thread at a time. Bytes on disk: wal/FORMAT.md,
// "Segment files".
//
// Invariants:
//  1. The byte with lsn L is at offset kSegmentBlockBytes + L - header().base_lsn of the file.
//  2. The file has header().file_bytes() bytes from the moment it is made, with their space
//     reserved.

#ifndef EMDB_WAL_SEGMENT_H_
#define EMDB_WAL_SEGMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/aligned_buffer.h"
#include "storage/env.h"
#include "storage/mutex.h"
#include "wal/options.h"
#include "wal/segment_format.h"
#include "wal/stream_source.h"

namespace emdb {

class Segment final : public StreamSource {
 public:
  enum class Access { kReadOnly, kBuffered, kDirect };
  static Access AccessFor(IoMode mode) {
    return mode == IoMode::kDirect ? Access::kDirect : Access::kBuffered;
  }

  // Opens a segment that is on disk, and checks its first block and its size.
  static absl::StatusOr<std::shared_ptr<Segment>> Open(Env* env, const std::string& path,
                                                       Access access);
  // Makes the file `path` with room for `capacity_bytes`, its space reserved. Removes it
  // again on an error. What it holds is no segment before Renew and WriteBlock.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(Env* env, const std::string& path,
                                                         uint64_t capacity_bytes, Access access);

  // Writes bytes [from_lsn, end) of the stream. `blocks` are those of [RoundDownToBlock(from_lsn),
  // end): with direct I/O whole blocks are written, the rest of the last one as zeros. Not synced.
  // After an error any part of [from_lsn, end) may be written.
  absl::Status Write(uint64_t from_lsn, std::string_view blocks);

  // Durable on return: everything written before. An error is final (see File::SyncData).
  absl::Status Sync() { return file_->SyncData(); }

  // Writes the first block with the state as it is. Not synced.
  absl::Status WriteBlock() ABSL_LOCKS_EXCLUDED(mutex_);
  // Changes the state and writes the first block; after an error the state is as before. Not
  // synced.
  absl::Status ChangeState(const std::function<void(SegmentState*)>& change)
      ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status Read(uint64_t lsn, size_t size, char* to) const override;

  // Overwrites bytes [begin, end) of the room with zeros, which must not hold a frame: later writes
  // there change no file-system metadata. Not synced.
  absl::Status WriteZeros(uint64_t begin, uint64_t end);

  // Makes it another segment, in memory only. Nobody else may use it at the time.
  void Renew(const SegmentHeader& header, bool is_first);

  const SegmentHeader& header() const { return header_; }
  SegmentState state() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t OffsetOf(uint64_t lsn) const { return kSegmentBlockBytes + lsn - header_.base_lsn; }
  std::string path() const ABSL_LOCKS_EXCLUDED(mutex_);
  // To be called when the file got another name.
  void set_path(std::string path) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Segment(std::string path, std::unique_ptr<File> file, std::unique_ptr<File> buffered_reader);

  absl::Status WriteDirect(uint64_t block_lsn, std::string_view blocks);
  absl::Status Encode(const SegmentState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<File> file_;
  const std::unique_ptr<File> buffered_reader_;  // null: file_ reads
  SegmentHeader header_;                         // changed by Renew only
  AlignedBuffer bounce_;                         // of Write, with direct I/O

  mutable Mutex mutex_;  // a leaf: nothing else is locked under it
  std::string path_ ABSL_GUARDED_BY(mutex_);
  SegmentState state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace emdb

#endif  // EMDB_WAL_SEGMENT_H_
