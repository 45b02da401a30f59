// PinnedValue: a value as a lookup found it, without a copy where that is possible. A value that
// lies in a page of the cache is read there, and the page keeps its frame until the value lets go
// of it; others, large ones and those that are not in the page store yet, are copied into memory
// that is used again.
//
// Pays for values of some hundred bytes and more: the pin is two atomic operations on a cache line
// that all readers of the page share. Keep few: the cache has a frame less for each.
//
// The key of a lookup must not be a part of the value that it is into. Movable; not thread safe.
// It may outlive the database, and is as it was then; it keeps the memory of the database's cache.

#ifndef EMDB_PAGESTORE_PINNED_VALUE_H_
#define EMDB_PAGESTORE_PINNED_VALUE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "pagestore/page_pin.h"

namespace emdb {

class PinnedValue {
 public:
  // Empty.
  PinnedValue() = default;
  PinnedValue(PinnedValue&&) = default;
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    pin_ = std::move(other.pin_);  // before its owner goes
    owner_ = std::move(other.owner_);
    in_page_ = other.in_page_;
    copy_ = std::move(other.copy_);
    return *this;
  }

  // Readable until the next lookup into it, or Reset.
  std::string_view value() const { return is_pinned() ? in_page_ : std::string_view(copy_); }
  // Whether it is read in the cache.
  bool is_pinned() const { return pin_.data() != nullptr; }
  // Lets go of the page and of the database's cache; empty then.
  void Reset() {
    pin_.Reset();
    owner_.reset();
    copy_.clear();
  }

  // For those who look up:

  // Where to put a copy.
  std::string* StartCopy() {
    pin_.Reset();
    return &copy_;
  }
  // `value` lies in the page of `pin`.
  void Pin(PagePin pin, std::string_view value) {
    pin_ = std::move(pin);
    in_page_ = value;
  }
  // Keeps what the pin's cache belongs to. A template, since a pointer converted for the call would
  // be counted up and down each time.
  template <typename Owner>
  void KeepAlive(const std::shared_ptr<Owner>& owner) {
    if (owner_ != owner) owner_ = owner;
  }

 private:
  std::shared_ptr<const void> owner_;  // goes after the pin
  PagePin pin_;
  std::string_view in_page_;
  std::string copy_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PINNED_VALUE_H_
