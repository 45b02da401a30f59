#include "pagestore/slice_filter.h"

#include <algorithm>

#include "storage/coding.h"
#include "storage/crc32c.h"

namespace emdb {
namespace {

constexpr size_t kBitsPerKey = 10;
constexpr size_t kWords = 8;
// Odd numbers that turn one hash into eight that are independent enough; from Parquet's format.
constexpr uint32_t kSalts[kWords] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                     0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

size_t BlockAt(uint64_t hash, size_t filter_size) {
  const uint64_t blocks = filter_size / kFilterBlockSize;
  return static_cast<size_t>((hash >> 32) * blocks >> 32) * kFilterBlockSize;
}

uint32_t BitIn(uint64_t hash, size_t word) {
  return uint32_t{1} << (static_cast<uint32_t>(hash) * kSalts[word] >> 27);
}

}  // namespace

uint64_t FilterHash(std::string_view key) {
  // The checksum tells keys apart; the multiplication spreads it over both halves.
  const uint64_t product = Crc32c(key) * uint64_t{0x9e3779b97f4a7c15};
  return product ^ product >> 32;
}

size_t FilterSize(size_t keys) {
  constexpr size_t kKeysPerBlock = kFilterBlockSize * 8 / kBitsPerKey;
  return std::max<size_t>(1, (keys + kKeysPerBlock - 1) / kKeysPerBlock) * kFilterBlockSize;
}

void AddToFilter(uint64_t hash, char* filter, size_t filter_size) {
  char* const block = filter + BlockAt(hash, filter_size);
  for (size_t i = 0; i < kWords; ++i)
    Store32(block + 4 * i, Load32(block + 4 * i) | BitIn(hash, i));
}

bool FilterMayContain(uint64_t hash, std::string_view filter) {
  const char* const block = filter.data() + BlockAt(hash, filter.size());
  uint32_t missing = 0;
  for (size_t i = 0; i < kWords; ++i) missing |= BitIn(hash, i) & ~Load32(block + 4 * i);
  return missing == 0;
}

}  // namespace emdb
