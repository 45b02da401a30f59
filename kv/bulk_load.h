// BulkLoadChanges: the records that a BulkSource hands out, as the changes of a checkpoint.

#ifndef EMDB_KV_BULK_LOAD_H_
#define EMDB_KV_BULK_LOAD_H_

#include <string_view>

#include "absl/status/status.h"
#include "kv/bulk_source.h"
#include "pagestore/page_store.h"

namespace emdb {

class BulkLoadChanges : public ChangeSource {
 public:
  // `source` outlives it.
  explicit BulkLoadChanges(const BulkSource& source) : source_(source) { Next(); }

  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  bool is_deletion() const override { return false; }
  absl::Status status() const override { return status_; }

 private:
  const BulkSource& source_;
  bool valid_ = false;
  std::string_view key_;
  std::string_view value_;
  absl::Status status_;
};

}  // namespace emdb

#endif  // EMDB_KV_BULK_LOAD_H_
