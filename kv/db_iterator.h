// DbIterator: the MergingIterator that a user holds: it ends when its Db is closed.
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

class DbIterator final : public MergingIterator {
 public:
  // `pinned` is the state of a DbPin that it owns a part of, with the page store.
  DbIterator(std::shared_ptr<const DbLife> life, const std::shared_ptr<const ReadState>& pinned,
             uint64_t seq_limit, Bounds bounds)
      : MergingIterator(pinned, pinned->tree.NewCursor(), seq_limit, std::move(bounds)),
        life_(std::move(life)) {}

  bool Valid() const override { return !life_->is_closed() && MergingIterator::Valid(); }
  void SeekToFirst() override {
    if (!life_->is_closed()) MergingIterator::SeekToFirst();
  }
  void SeekToLast() override {
    if (!life_->is_closed()) MergingIterator::SeekToLast();
  }
  void Seek(std::string_view target) override {
    if (!life_->is_closed()) MergingIterator::Seek(target);
  }
  void SeekForPrev(std::string_view target) override {
    if (!life_->is_closed()) MergingIterator::SeekForPrev(target);
  }
  void Next() override {
    if (!life_->is_closed()) MergingIterator::Next();
  }
  void Prev() override {
    if (!life_->is_closed()) MergingIterator::Prev();
  }
  absl::Status status() const override {
    return life_->is_closed() ? DbLife::Closed() : MergingIterator::status();
  }

 private:
  const std::shared_ptr<const DbLife> life_;
};

}  // namespace emdb

#endif  // EMDB_KV_DB_ITERATOR_H_
