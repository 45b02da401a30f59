// OpenStoreFiles: locks the store file, opens the page store and its log, and makes both if they
// are missing.
//
// A store is made in this order: the store file, empty, and its name durable; the lock on it; the
// log, durable; then the headers of the page store. So an empty store file whose log is missing or
// was never written to is a store whose making was cut short, and is made anew; one with a log that
// holds, or ever held, records is damage. So whoever puts something into a store past the log
// (Db::BulkLoad) makes sure that the log has been written to.
//
// Not: what is made of the log's records. See recovery.h.

#ifndef EMDB_KV_STORE_FILES_H_
#define EMDB_KV_STORE_FILES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kv/options.h"
#include "pagestore/page_store.h"
#include "storage/env.h"
#include "wal/wal.h"

namespace emdb {

struct StoreFiles {
  // In this order, so that the lock is given up last.
  std::unique_ptr<FileLock> lock;
  std::unique_ptr<PageStore> store;
  std::unique_ptr<Wal> wal;
};

// NotFound, AlreadyExists, FailedPrecondition (locked, another store's log), DataLoss,
// ResourceExhausted. `redo` is called for each record of the log from the page store's next_seq on,
// in order; an error of it ends the open. What is refused is left as it was found: all files are
// read before any of them is changed. `env` outlives what is returned.
absl::StatusOr<StoreFiles> OpenStoreFiles(const Options& options, Env* env, const std::string& path,
                                          WalVisitor redo);

}  // namespace emdb

#endif  // EMDB_KV_STORE_FILES_H_
