// LogFiles: the names of a log's files and the directory that holds them.
//
//   P                        the active segment
//   P.<first_seq, 20 digits> a sealed one
//   P.buffer                 the append buffer
//   P.spare.<n>              a segment that is being prepared; means nothing after a crash
//
// Thread safe. A change of names is durable after SyncDirectory. The first error of one is final:
// the operating system tells of it once, and to whoever asks first, so that the next one might say
// OK of names that are not durable.

#ifndef EMDB_WAL_LOG_FILES_H_
#define EMDB_WAL_LOG_FILES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/env.h"
#include "storage/mutex.h"

namespace emdb {

class LogFiles {
 public:
  struct Listing {
    bool has_active = false;
    bool has_buffer = false;
    std::vector<uint64_t> sealed;     // their first seqs, rising
    std::vector<std::string> spares;  // paths
  };

  // `env` must outlive it.
  static absl::StatusOr<std::unique_ptr<LogFiles>> Open(Env* env, std::string path);

  // "dir/foo.emdb" -> "dir/foo.emdb.v4.wal"; without a file name "emdb.v4.wal" in that directory.
  static std::string PathFor(std::string_view store_path);

  const std::string& ActivePath() const { return path_; }
  std::string SealedPath(uint64_t first_seq) const;
  std::string BufferPath() const;
  std::string NewSparePath();

  absl::StatusOr<Listing> List() const;
  absl::Status Rename(std::string_view from, std::string_view to) { return env_->Rename(from, to); }
  // OK if it is missing.
  absl::Status Remove(std::string_view path);
  absl::Status SyncDirectory() ABSL_LOCKS_EXCLUDED(sync_mutex_);

  Env* env() const { return env_; }

 private:
  LogFiles(Env* env, std::string path, std::unique_ptr<Directory> directory);

  Env* const env_;
  const std::string path_;
  const std::unique_ptr<Directory> directory_;
  std::atomic<uint64_t> next_spare_{0};

  Mutex sync_mutex_;  // held during a sync: nobody goes on before its error is known to all
  absl::Status sync_failure_ ABSL_GUARDED_BY(sync_mutex_);
};

}  // namespace emdb

#endif  // EMDB_WAL_LOG_FILES_H_
