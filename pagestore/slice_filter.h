// The filter of a slice: says of a key that it is certainly not in it, or that it may be.
// A split block Bloom filter (Apache Parquet's, after Putze, Sanders and Singler, "Cache-, Hash-
// and Space-Efficient Bloom Filters", 2007): each key sets one bit in each of the 8 words of one
// 32-byte block, so a question touches one cache line. With 10 bits a key about 1 answer in 100 is
// "may be" for a key that was never added.
//
// The hash is part of the file format: pagestore/FORMAT.md.

#ifndef EMDB_PAGESTORE_SLICE_FILTER_H_
#define EMDB_PAGESTORE_SLICE_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace emdb {

inline constexpr size_t kFilterBlockSize = 32;

// The hash of a key, which all filters share.
uint64_t FilterHash(std::string_view key);

// Size of a filter for `keys` keys: a multiple of kFilterBlockSize, at least one.
size_t FilterSize(size_t keys);

// `filter` is of FilterSize(...) bytes, all 0 at first.
void AddToFilter(uint64_t hash, char* filter, size_t filter_size);

// True for every key that was added.
bool FilterMayContain(uint64_t hash, std::string_view filter);

}  // namespace emdb

#endif  // EMDB_PAGESTORE_SLICE_FILTER_H_
