// What the tests of the page store share: sources of changes, a model, and reading a store whole.

#ifndef EMDB_PAGESTORE_STORE_TESTING_H_
#define EMDB_PAGESTORE_STORE_TESTING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "pagestore/change_source.h"
#include "pagestore/page_store.h"
#include "storage/env.h"

namespace emdb {

using Model = std::map<std::string, std::string>;
// No value: a deletion.
using Changes = std::map<std::string, std::optional<std::string>>;

class MapChangeSource : public ChangeSource {
 public:
  explicit MapChangeSource(const Changes& changes) : at_(changes.begin()), end_(changes.end()) {}

  bool Valid() const override { return at_ != end_; }
  void Next() override { ++at_; }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return *at_->second; }
  bool is_deletion() const override { return !at_->second.has_value(); }
  std::unique_ptr<ChangeSource> Fork() const override {
    return std::make_unique<MapChangeSource>(*this);
  }

 private:
  Changes::const_iterator at_;
  const Changes::const_iterator end_;
};

// A small cache, slices however small the store is, and a store id that makes files the same from
// run to run.
PageStoreOptions SmallStoreOptions(Env* env);

absl::Status Apply(PageStore* store, uint64_t next_seq, const Changes& changes);
void ApplyToModel(const Changes& changes, Model* model);

// Everything a cursor sees from first to last.
absl::StatusOr<Model> ReadForward(const View& view);
// And from last to first.
absl::StatusOr<Model> ReadBackward(const View& view);

// Keys and values of all the shapes that have special places in the code.
class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed) : random_(seed) {}

  uint64_t Uniform(uint64_t n) { return random_() % n; }
  std::string Key(uint64_t space);
  std::string Value();
  Changes Batch(size_t count, uint64_t space);

 private:
  std::string Bytes(size_t size);

  std::mt19937_64 random_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_STORE_TESTING_H_
