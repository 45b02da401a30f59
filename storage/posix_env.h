// PosixEnv: Env on the operating system's files.

#ifndef EMDB_STORAGE_POSIX_ENV_H_
#define EMDB_STORAGE_POSIX_ENV_H_

#include "storage/env.h"

namespace emdb {

// The one PosixEnv of this process: locks are a matter of the whole process. Never destroyed.
Env* PosixEnv();

}  // namespace emdb

#endif  // EMDB_STORAGE_POSIX_ENV_H_
