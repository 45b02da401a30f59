// KeyRanges: a set of keys that is made of ranges. Ranges that are added may overlap in any way and
// come in any order.
//
// Not thread safe.

#ifndef EMDB_PAGESTORE_KEY_RANGES_H_
#define EMDB_PAGESTORE_KEY_RANGES_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace emdb {

struct KeyRange {
  std::string lower;
  std::optional<std::string> upper;  // the first key behind it; absent: no bound
};

class KeyRanges {
 public:
  void Add(KeyRange range);
  bool Contains(std::string_view key) const;

 private:
  // From lower to upper; no two of them overlap or touch.
  std::map<std::string, std::optional<std::string>, std::less<>> ranges_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_KEY_RANGES_H_
