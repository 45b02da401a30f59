// Point lookups in a tree. Safe from many threads; the caller keeps the tree's generation pinned.

#ifndef EMDB_PAGESTORE_TREE_READER_H_
#define EMDB_PAGESTORE_TREE_READER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pagestore/pinned_value.h"
#include "pagestore/tree.h"

namespace emdb {

// Copies the value of `key` to *value. NotFound without a message; DataLoss and I/O errors.
absl::Status GetFromTree(const Tree& tree, std::string_view key, std::string* value);
// The same, without a copy if the value stands in a page.
absl::Status GetFromTree(const Tree& tree, std::string_view key, PinnedValue* value);

// GetFromTree for each key whose status is NotFound on entry; the others are left alone. Works
// level by level on many keys at once, so that their cache misses overlap.
void MultiGetFromTree(const Tree& tree, absl::Span<const std::string_view> keys,
                      absl::Span<std::string> values, absl::Span<absl::Status> statuses);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_TREE_READER_H_
