// MemoryLimit: a memory cgroup of our own, version 2 or 1, for "more data than memory" without a
// small machine. What a process in it uses counts, page cache included.

#ifndef EMDB_TOOLS_BENCH_MEMORY_LIMIT_H_
#define EMDB_TOOLS_BENCH_MEMORY_LIMIT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace emdb::bench {

class MemoryLimit {
 public:
  // FailedPrecondition, saying what is missing, where this process may not make one.
  static absl::StatusOr<std::unique_ptr<MemoryLimit>> Create(uint64_t bytes);

  // Removes the group, which must be empty by then.
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  // Moves this process into the group. To be called in a child.
  absl::Status Enter() const;

 private:
  explicit MemoryLimit(std::string directory) : directory_(std::move(directory)) {}

  const std::string directory_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_MEMORY_LIMIT_H_
