// Iterator: the records of one state of a Db in key order, both ways, within the bounds of its
// ReadOptions.
//
// It shows the state at its creation, or its snapshot's, whatever is written later. Starts invalid:
// seek first. Belongs to one thread. It holds the memory and the disk space of the state it shows:
// do not keep one for long without need.
//
// It may outlive its Db, and be used on its thread while another closes that: from the moment the
// Db is closed it is not valid, for good, and its status is FailedPrecondition. The bytes that key
// and value returned before stay until it is moved or destroyed. It then keeps memory, the page
// cache included, and the store file's descriptor, but neither disk space nor the lock: the store
// may be opened again.

#ifndef EMDB_KV_ITERATOR_H_
#define EMDB_KV_ITERATOR_H_

#include <string_view>

#include "absl/status/status.h"

namespace emdb {

class Iterator {
 public:
  virtual ~Iterator() = default;

  virtual bool Valid() const = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;         // the first key at or behind target
  virtual void SeekForPrev(std::string_view target) = 0;  // the last key at or before target
  // Only when Valid.
  virtual void Next() = 0;
  virtual void Prev() = 0;
  // Only when Valid; the bytes stay until the next move.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  // OK at the end of the data; an error (DataLoss, I/O) makes the iterator invalid and stays until
  // the next seek.
  virtual absl::Status status() const = 0;
};

}  // namespace emdb

#endif  // EMDB_KV_ITERATOR_H_
