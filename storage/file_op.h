// FileOp: the kinds of operations on a simulated disk.

#ifndef EMDB_STORAGE_FILE_OP_H_
#define EMDB_STORAGE_FILE_OP_H_

#include <string_view>

namespace emdb {

enum class FileOp {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kSyncData,
  kTruncate,
  kReserve,
  kRename,
  kRemove,
  kSyncDirectory,
  kMapRing,
  kLock,
  kList,
};
std::string_view FileOpName(FileOp op);
// Whether operations of this kind are numbered.
bool IsNumbered(FileOp op);

}  // namespace emdb

#endif  // EMDB_STORAGE_FILE_OP_H_
