// Page contents as text, for people and for tools that look inside a store.

#ifndef EMDB_PAGESTORE_DESCRIBE_H_
#define EMDB_PAGESTORE_DESCRIBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "pagestore/page_file.h"
#include "pagestore/page_format.h"

namespace emdb {

// Describes page `id`, one item a line. A page of a large value or a free page has no header of its
// own and is told as such. OutOfRange if the file has no such page; DataLoss if the page is
// damaged, with what could be read all the same in the message.
absl::StatusOr<std::string> DescribePage(const PageFile& file, PageId id);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_DESCRIBE_H_
