// Opening a store file: finding or making it, and reading its newest header.

#ifndef EMDB_PAGESTORE_STORE_OPENER_H_
#define EMDB_PAGESTORE_STORE_OPENER_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "storage/file.h"

namespace emdb {

struct OpenedStore {
  std::unique_ptr<File> file;
  StoreHeader header;
};

// What PageStore::Open promises of the file; `options.env` is set. On return, unless read only, the
// header and the file's name are durable, whatever the process that wrote them came to know of it.
absl::StatusOr<OpenedStore> OpenStore(std::string_view path, const PageStoreOptions& options);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_STORE_OPENER_H_
