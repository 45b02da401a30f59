// Opening a store file: finding or making it, and reading its newest header.

#ifndef EMDB_PAGESTORE_STORE_OPENER_H_
#define EMDB_PAGESTORE_STORE_OPENER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "storage/file.h"

namespace emdb {

struct OpenedStore {
  std::unique_ptr<File> file;
  StoreHeader header;
  uint64_t fallback_next_seq = 0;  // see PageStore::fallback_next_seq
  bool is_new = false;             // made by this call, and durable
};

// What PageStore::Open promises of the file; `options.env` is set.
absl::StatusOr<OpenedStore> OpenStore(std::string_view path, const PageStoreOptions& options);

// Makes durable what OpenStore found: the header, in both of its copies, and the file's name. The
// process that wrote them may have ended, or its sync have failed, before they were. The file is
// written and synced; an error is final.
absl::Status ConfirmHeader(Env* env, File* file, const StoreHeader& header);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_STORE_OPENER_H_
