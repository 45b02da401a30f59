// Search among key heads: the first four bytes of each key behind the page's common prefix, side by
// side in ascending order, so that a handful of vector compares takes the place of a walk over
// keys.
//
// A head is the big-endian number of these bytes, padded with zeros, and stored little-endian.
// Padding makes "a" and "a\0" share a head: equal heads decide nothing.

#ifndef EMDB_PAGESTORE_HEAD_SEARCH_H_
#define EMDB_PAGESTORE_HEAD_SEARCH_H_

#include <cstdint>
#include <string_view>

#include "storage/coding.h"

namespace emdb {

// Bytes that may be read behind the last head.
inline constexpr size_t kHeadSlack = 28;

inline uint32_t HeadOf(std::string_view key_rest) {
  if (key_rest.size() >= 4) [[likely]]
    return __builtin_bswap32(Load32(key_rest.data()));
  uint32_t head = 0;
  for (size_t i = 0; i < key_rest.size(); ++i) {
    head |= static_cast<uint32_t>(static_cast<unsigned char>(key_rest[i])) << (24 - 8 * i);
  }
  return head;
}

// How many of the `n` ascending heads at `heads` are below `head`. Reads at most kHeadSlack bytes
// behind the last one.
uint32_t CountHeadsBelow(const char* heads, uint32_t n, uint32_t head);

// The same without vector instructions, for processors that lack them and for tests.
uint32_t CountHeadsBelowPortable(const char* heads, uint32_t n, uint32_t head);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_HEAD_SEARCH_H_
