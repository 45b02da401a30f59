// LyingEnv: an Env in front of another one that says OK to chosen operations without doing them. A
// test that finds nothing wrong with a database on a lying disk proves nothing.
//
// It can lie about kWrite, kSyncData, kTruncate, kSyncDirectory and kRemove.

#ifndef EMDB_KV_LYING_ENV_H_
#define EMDB_KV_LYING_ENV_H_

#include <functional>
#include <memory>
#include <string_view>

#include "storage/env.h"
#include "storage/fault_env.h"

namespace emdb {

// Whether to lie about this operation.
using Lie = std::function<bool(FileOp op, std::string_view path)>;

// `base` must outlive what is returned. `lie` is called from many threads.
std::unique_ptr<Env> NewLyingEnv(Env* base, Lie lie);

}  // namespace emdb

#endif  // EMDB_KV_LYING_ENV_H_
