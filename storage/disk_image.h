// DiskImage: what is on a simulated disk at one moment.

#ifndef EMDB_STORAGE_DISK_IMAGE_H_
#define EMDB_STORAGE_DISK_IMAGE_H_

#include <cstdint>
#include <map>
#include <string>

#include "storage/sparse_bytes.h"

namespace emdb {

// Cheap to copy; change the files to simulate damage.
struct DiskImage {
  std::map<std::string, SparseBytes> files;  // by path
  uint64_t random_state = 1;                 // where an env that opens the image goes on
};

}  // namespace emdb

#endif  // EMDB_STORAGE_DISK_IMAGE_H_
