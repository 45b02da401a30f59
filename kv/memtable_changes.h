// MemtableChanges: a frozen memtable as the changes of a checkpoint: the newest version of each
// key.

#ifndef EMDB_KV_MEMTABLE_CHANGES_H_
#define EMDB_KV_MEMTABLE_CHANGES_H_

#include <memory>
#include <string_view>

#include "kv/memtable_iterator.h"
#include "pagestore/page_store.h"

namespace emdb {

class MemtableChanges : public ChangeSource {
 public:
  // All of `table` is visible. It outlives this.
  explicit MemtableChanges(const Memtable* table) : it_(table, table->end_seq()) {
    it_.SeekToFirst();
  }

  bool Valid() const override { return it_.Valid(); }
  void Next() override { it_.Next(); }
  std::string_view key() const override { return it_.key(); }
  std::string_view value() const override { return it_.value(); }
  bool is_deletion() const override { return it_.is_deletion(); }
  std::unique_ptr<ChangeSource> Fork() const override {
    return std::make_unique<MemtableChanges>(*this);
  }

 private:
  MemtableIterator it_;
};

}  // namespace emdb

#endif  // EMDB_KV_MEMTABLE_CHANGES_H_
