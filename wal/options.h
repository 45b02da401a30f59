// FlushPolicy, IoMode, WalOptions and WalRedo: how a log is opened. Plain values, checked by
// Wal::Open.

#ifndef EMDB_WAL_OPTIONS_H_
#define EMDB_WAL_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/env.h"
#include "storage/store_id.h"

namespace emdb {

// When appended records are made durable without being asked.
class FlushPolicy {
 public:
  enum class Kind { kManual, kOnEachWrite, kGroup };

  // Only by Flush, WaitForSeq, Truncate and Close.
  static FlushPolicy Manual() { return FlushPolicy(Kind::kManual, absl::ZeroDuration()); }
  // Append returns when its record is durable.
  static FlushPolicy OnEachWrite() { return FlushPolicy(Kind::kOnEachWrite, absl::ZeroDuration()); }
  // In the background: a record is durable at most `max_wait`, 0 to 1 hour, plus one sync after its
  // append. A write that failed is tried again after as long, but not before 1 ms has passed; what
  // is appended meanwhile is durable with it.
  static FlushPolicy Group(absl::Duration max_wait) { return FlushPolicy(Kind::kGroup, max_wait); }

  Kind kind() const { return kind_; }
  absl::Duration max_wait() const { return max_wait_; }

 private:
  FlushPolicy(Kind kind, absl::Duration max_wait) : kind_(kind), max_wait_(max_wait) {}
  Kind kind_;
  absl::Duration max_wait_;
};

// How segments are written.
enum class IoMode {
  kBuffered,  // through the page cache, fdatasync
  kDirect,    // O_DIRECT in whole blocks, the last one written again by the next group;
              // InvalidArgument from Open where the file system cannot
};

struct WalOptions {
  FlushPolicy flush_policy = FlushPolicy::OnEachWrite();
  IoMode io_mode = IoMode::kBuffered;
  bool create_if_missing = true;
  // Reads only, changes no byte on disk; a torn tail is passed over. Everything that would write is
  // FailedPrecondition.
  bool read_only = false;
  // A segment is sealed and another one started when the next record does not fit. 64 KiB to 1 GiB;
  // a record that is larger gets a segment of its own size.
  uint64_t segment_size_bytes = uint64_t{64} << 20;
  // Appends wait when this much is not yet written. A power of two, 64 KiB to 1 GiB.
  uint64_t append_buffer_size_bytes = uint64_t{4} << 20;
  // The id a new log gets (random if absent) and an existing one must have.
  std::optional<StoreId> store_id;
  // Null: PosixEnv(). Must outlive the log.
  Env* env = nullptr;
};

// Called with records in order of seq. An error ends the calls, and is what the caller gets.
// `record` is valid during the call only.
using WalVisitor = absl::FunctionRef<absl::Status(uint64_t seq, std::string_view record)>;

// What is done with the records of a log while it is opened: `visit` gets those from `from_seq` on.
struct WalRedo {
  uint64_t from_seq = 0;
  WalVisitor visit;
};

}  // namespace emdb

#endif  // EMDB_WAL_OPTIONS_H_
