// NoChanges: the source of a checkpoint that changes no record: it moves, folds or rewrites.

#ifndef EMDB_PAGESTORE_NO_CHANGES_H_
#define EMDB_PAGESTORE_NO_CHANGES_H_

#include <string_view>

#include "pagestore/change_source.h"

namespace emdb {

class NoChanges : public ChangeSource {
 public:
  bool Valid() const override { return false; }
  void Next() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  bool is_deletion() const override { return false; }
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_NO_CHANGES_H_
