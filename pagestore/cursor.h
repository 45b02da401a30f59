// Cursor: walks the records of one generation of a page store in key order.

#ifndef EMDB_PAGESTORE_CURSOR_H_
#define EMDB_PAGESTORE_CURSOR_H_

#include <string_view>

#include "absl/status/status.h"

namespace emdb {

// Belongs to one thread; outlives neither its View nor the store. key() and value() stay valid
// until the next move; a target must not be a part of them. Moving a cursor that is not Valid does
// nothing.
class Cursor {
 public:
  virtual ~Cursor() = default;

  virtual bool Valid() const = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;         // first key >= target
  virtual void SeekForPrev(std::string_view target) = 0;  // last key <= target
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;
  // Loads a large value on first use: check status() when it comes back empty.
  virtual std::string_view value() = 0;
  // Not OK when a page could not be read; Valid is false then.
  virtual absl::Status status() const = 0;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_CURSOR_H_
