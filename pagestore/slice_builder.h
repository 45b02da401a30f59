// SliceBuilder: writes slices (slice.h) out of records in key order, from left to right. Leaves are
// filled up; a root that has no more room for its next leaf's reference and filter is followed by
// another, so that a call for many records may make several slices of consecutive ranges.
//
// Not thread safe. After an error nothing but the destructor may be called.

#ifndef EMDB_PAGESTORE_SLICE_BUILDER_H_
#define EMDB_PAGESTORE_SLICE_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_cache.h"
#include "pagestore/page_file.h"
#include "pagestore/page_writer.h"
#include "pagestore/slice.h"

namespace emdb {

class SliceBuilder {
 public:
  // Longer keys are not for slices: their separators would leave a root with few leaves.
  static constexpr size_t kMaxKeySize = 256;

  struct Target {
    const PageFile* file = nullptr;
    PageWriter* writer = nullptr;
    PageCache* cache = nullptr;
    uint64_t generation = 0;
  };

  explicit SliceBuilder(const Target& target);

  // At most this many slices come of `records` records with `bytes` bytes of keys and payloads.
  static uint64_t MostSlices(uint32_t page_size, uint64_t records, uint64_t bytes);

  absl::Status Add(const NodeItems::Entry& record);
  // The slices of everything that was added.
  absl::StatusOr<std::vector<SliceRef>> Finish();

 private:
  absl::Status WriteLeaf();
  absl::Status WriteRoot();

  const Target target_;
  const uint32_t page_size_;
  NodeItems leaf_;
  std::vector<uint64_t> leaf_hashes_;
  NodeItems root_;
  std::vector<uint64_t> root_hashes_;
  std::string last_key_;  // of the leaf before leaf_ in the same root
  std::vector<SliceRef> slices_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_SLICE_BUILDER_H_
