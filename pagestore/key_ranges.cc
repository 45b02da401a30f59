#include "pagestore/key_ranges.h"

#include <iterator>
#include <utility>

namespace emdb {

void KeyRanges::Add(KeyRange range) {
  auto at = ranges_.upper_bound(range.lower);
  if (at != ranges_.begin()) {
    const auto before = std::prev(at);
    if (!before->second || *before->second >= range.lower) {
      range.lower = before->first;
      at = before;
    }
  }
  // All that it overlaps or touches becomes a part of it.
  while (at != ranges_.end() && (!range.upper || at->first <= *range.upper)) {
    if (!at->second || (range.upper && *at->second > *range.upper)) range.upper = at->second;
    at = ranges_.erase(at);
  }
  ranges_.emplace(std::move(range.lower), std::move(range.upper));
}

bool KeyRanges::Contains(std::string_view key) const {
  const auto behind = ranges_.upper_bound(key);
  if (behind == ranges_.begin()) return false;
  const std::optional<std::string>& upper = std::prev(behind)->second;
  return !upper || key < *upper;
}

}  // namespace emdb
