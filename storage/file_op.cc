#include "storage/file_op.h"

namespace emdb {

std::string_view FileOpName(FileOp op) {
  switch (op) {
    case FileOp::kOpen:
      return "open";
    case FileOp::kCreate:
      return "create";
    case FileOp::kRead:
      return "read";
    case FileOp::kWrite:
      return "write";
    case FileOp::kSyncData:
      return "fdatasync";
    case FileOp::kTruncate:
      return "ftruncate";
    case FileOp::kReserve:
      return "fallocate";
    case FileOp::kRename:
      return "rename";
    case FileOp::kRemove:
      return "unlink";
    case FileOp::kSyncDirectory:
      return "fsync directory";
    case FileOp::kMapRing:
      return "map ring";
    case FileOp::kLock:
      return "lock";
    case FileOp::kList:
      return "list";
  }
  return "unknown operation";
}

bool IsNumbered(FileOp op) {
  return op != FileOp::kRead && op != FileOp::kOpen && op != FileOp::kList && op != FileOp::kLock;
}

}  // namespace emdb
