// ChangeSource: what a checkpoint is to change.

#ifndef EMDB_PAGESTORE_CHANGE_SOURCE_H_
#define EMDB_PAGESTORE_CHANGE_SOURCE_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"

namespace emdb {

// The changes of a checkpoint, strictly ascending by key. Views stay valid until Next.
class ChangeSource {
 public:
  virtual ~ChangeSource() = default;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;  // not for deletions
  virtual bool is_deletion() const = 0;
  // Another source of what is left of this one, which this one outlives; null if it can be read
  // only once. With a fork a checkpoint looks ahead, to choose where changes go.
  virtual std::unique_ptr<ChangeSource> Fork() const { return nullptr; }
  // Why Valid is false: an error makes the checkpoint fail with it and change nothing.
  virtual absl::Status status() const { return absl::OkStatus(); }
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_CHANGE_SOURCE_H_
