// LostPiece: a part of a damaged file that could not be read, for the reports of those that salvage
// the rest.

#ifndef EMDB_STORAGE_LOST_PIECE_H_
#define EMDB_STORAGE_LOST_PIECE_H_

#include <cstdint>
#include <string>

namespace emdb {

struct LostPiece {
  std::string path;
  uint64_t offset = 0;
  std::string what;  // what was there, as far as it is known, and what is there instead
};

}  // namespace emdb

#endif  // EMDB_STORAGE_LOST_PIECE_H_
