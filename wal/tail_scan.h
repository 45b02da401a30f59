// TailScan: finds where a log ends that was not closed. It follows the frames of the last segment,
// in its file and in the append buffer a killed process left, on into segments that were started
// but not yet made, and decides whether what is behind the end may be cut.
//
// The rule (see wal/FORMAT.md, "Where the log ends"): the end is the first place where no intact
// frame with the expected seq is. If a witness shows that a record at or behind it was durable, the
// log is damaged; otherwise what is behind was never synced, and is cut. Reads only.

#ifndef EMDB_WAL_TAIL_SCAN_H_
#define EMDB_WAL_TAIL_SCAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "wal/frame_reader.h"
#include "wal/options.h"
#include "wal/segment.h"
#include "wal/stream_source.h"

namespace emdb {

// What the append buffer's file held when the log was opened, as a part of the stream: any part of
// size() bytes, whether they ever held that one or not.
class BufferImage final : public StreamSource {
 public:
  // An image of nothing: no bytes of it are ever valid.
  BufferImage() = default;
  // Opens the file `path`. One of impossible size holds nothing: its size is not durable, either.
  static absl::StatusOr<BufferImage> Open(Env* env, const std::string& path);

  uint64_t size() const { return size_; }
  // The bytes where [lsn, lsn + size) of the stream would be; size <= size().
  absl::Status Read(uint64_t lsn, size_t size, char* to) const override;
  absl::StatusOr<std::string> Read(uint64_t lsn, size_t size) const;

 private:
  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
};

struct TailScan {
  // A piece of the tail, in one segment; the segments are the last one on disk and then those that
  // follow from it.
  struct Part {
    FrameRange range;
    bool in_buffer = false;  // else in the segment's file
    bool in_last = false;    // in the last segment on disk, else in one to come
  };

  std::vector<Part>
      parts;  // in order, without gaps; those in the last segment's file come with those between
  uint64_t end_lsn = 0;  // where the next frame would be
  uint64_t end_seq = 0;
  // In the last segment: everything below was synced. Of that, too, what is in parts from the
  // buffer is not whole in the file.
  uint64_t durable_lsn = 0;
  uint64_t bytes_cut = 0;  // of records behind the end
  uint64_t records_from_buffer = 0;
};

// True if the buffer holds a record behind the end that the state of `closed`, the last segment,
// names: the log was used after it had been closed.
absl::StatusOr<bool> ContinuesBehind(const Segment& closed, const BufferImage& buffer);

// Scans the tail of `last`, the last segment on disk. DataLoss, naming file, offset and seq, if it
// is damaged. `visit` is called for each record of the tail, in order, before
// it is known whether the tail is damaged; an error of it ends the scan.
absl::StatusOr<TailScan> ScanTail(const Segment& last, const BufferImage& buffer, WalVisitor visit);

}  // namespace emdb

#endif  // EMDB_WAL_TAIL_SCAN_H_
