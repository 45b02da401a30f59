// DbIterator: the merged view that a user holds: it ends when its Db is closed.
//
// What it reads lives as long as it does, so that a step that runs while the Db is being closed is
// safe. What such a step then finds may be wrong only in being an error: a later Db on the same
// files may already have used the pages again, which their checksums tell; and status() says that
// the Db is closed.

#ifndef EMDB_KV_DB_ITERATOR_H_
#define EMDB_KV_DB_ITERATOR_H_

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "kv/db_life.h"
#include "kv/merging_iterator.h"

namespace emdb {

class DbIterator final : public Iterator {
 public:
  // With the page store, since it reads on its own, outside of every call of the Db.
  DbIterator(std::shared_ptr<DbLife> life, std::shared_ptr<PageStore> store,
             std::shared_ptr<const ReadState> state, uint64_t seq_limit,
             const MergingIterator::Bounds& bounds)
      : pin_(std::move(life), std::move(store), std::move(state)),
        merged_(pin_.state(), pin_.state()->tree.NewCursor(), seq_limit, bounds) {}

  bool Valid() const override { return !is_closed() && merged_.Valid(); }
  void SeekToFirst() override {
    if (!is_closed()) merged_.SeekToFirst();
  }
  void SeekToLast() override {
    if (!is_closed()) merged_.SeekToLast();
  }
  void Seek(std::string_view target) override {
    if (!is_closed()) merged_.Seek(target);
  }
  void SeekForPrev(std::string_view target) override {
    if (!is_closed()) merged_.SeekForPrev(target);
  }
  void Next() override {
    if (!is_closed()) merged_.Next();
  }
  void Prev() override {
    if (!is_closed()) merged_.Prev();
  }
  std::string_view key() const override { return merged_.key(); }
  std::string_view value() const override { return merged_.value(); }
  absl::Status status() const override { return is_closed() ? DbLife::Closed() : merged_.status(); }

 private:
  bool is_closed() const { return pin_.life().is_closed(); }

  const DbPin pin_;
  MergingIterator merged_;
};

}  // namespace emdb

#endif  // EMDB_KV_DB_ITERATOR_H_
