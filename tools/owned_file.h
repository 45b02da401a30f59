// OwnedFile: a stream of the C library that is closed when its owner goes. What closing says is
// lost: who writes through one flushes it first.

#ifndef EMDB_TOOLS_OWNED_FILE_H_
#define EMDB_TOOLS_OWNED_FILE_H_

#include <cstdio>
#include <memory>

namespace emdb {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OwnedFile = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace emdb

#endif  // EMDB_TOOLS_OWNED_FILE_H_
