// Contender: a database in the side-by-side. Writes are durable when they return: as the RocksDB of
// this machine and emdb come, with 256 MiB of cache and without compression, which emdb does not
// have.

#ifndef EMDB_TOOLS_QUICKSTART_CONTENDER_H_
#define EMDB_TOOLS_QUICKSTART_CONTENDER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/quickstart/package_index.h"

namespace emdb::quickstart {

class Contender {
 public:
  virtual ~Contender() = default;

  virtual std::string name() const = 0;
  // One durable batch.
  virtual absl::Status Write(absl::Span<const Package> packages) = 0;
  // Moves everything from memory into the tables, so that reading starts from the same state.
  virtual absl::Status Settle() = 0;
  // Get and Write are called by several threads at once.
  virtual absl::Status Get(std::string_view key, std::string* value) = 0;
  virtual absl::Status Scan(
      const std::function<void(std::string_view key, std::string_view value)>& visit) = 0;
};

// Make a new store in the directory `path`, which does not exist yet.
absl::StatusOr<std::unique_ptr<Contender>> NewEmdbContender(const std::string& path);
absl::StatusOr<std::unique_ptr<Contender>> NewRocksDbContender(const std::string& path);

}  // namespace emdb::quickstart

#endif  // EMDB_TOOLS_QUICKSTART_CONTENDER_H_
