// MemEnv: a file system in memory, for databases that are never to touch a disk. Syncs do nothing;
// every file is gone with the Env. It has every path's parent directory; names are compared as
// strings.

#ifndef EMDB_STORAGE_MEM_ENV_H_
#define EMDB_STORAGE_MEM_ENV_H_

#include <memory>

#include "storage/env.h"

namespace emdb {

// Files and directories opened from it keep what they need alive; the Env itself must outlive its
// users.
std::unique_ptr<Env> NewMemEnv();

}  // namespace emdb

#endif  // EMDB_STORAGE_MEM_ENV_H_
