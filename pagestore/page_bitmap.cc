#include "pagestore/page_bitmap.h"

#include <algorithm>
#include <bit>

namespace emdb {
namespace {

// The bits [begin, end) of one word, 0 <= begin < end <= 64.
uint64_t Mask(uint32_t begin, uint32_t end) {
  const uint64_t upto = end == 64 ? ~uint64_t{0} : (uint64_t{1} << end) - 1;
  return upto & (~uint64_t{0} << begin);
}

}  // namespace

void PageBitmap::Assign(uint32_t begin, uint32_t end, bool value) {
  while (begin < end) {
    const uint32_t base = begin / 64 * 64;
    const uint64_t mask = Mask(begin - base, std::min(end - base, 64u));
    uint64_t& word = words_[begin / 64];
    word = value ? word | mask : word & ~mask;
    begin = base + 64;
  }
}

uint32_t PageBitmap::Count() const { return CountIn(0, size()); }

uint32_t PageBitmap::CountIn(uint32_t begin, uint32_t end) const {
  uint32_t count = 0;
  while (begin < end) {
    const uint32_t base = begin / 64 * 64;
    const uint64_t mask = Mask(begin - base, std::min(end - base, 64u));
    count += static_cast<uint32_t>(std::popcount(words_[begin / 64] & mask));
    begin = base + 64;
  }
  return count;
}

uint32_t PageBitmap::Next(uint32_t from, uint64_t pattern) const {
  if (from >= size()) return size();
  uint64_t differs = (words_[from / 64] ^ pattern) & (~uint64_t{0} << (from % 64));
  uint32_t index = from / 64;
  while (differs == 0) {
    if (++index == words_.size()) return size();
    differs = words_[index] ^ pattern;
  }
  return index * 64 + static_cast<uint32_t>(std::countr_zero(differs));
}

uint32_t PageBitmap::EndOfLastSet() const {
  for (uint32_t index = word_count(); index-- > 0;) {
    if (words_[index] != 0) {
      return index * 64 + 64 - static_cast<uint32_t>(std::countl_zero(words_[index]));
    }
  }
  return 0;
}

}  // namespace emdb
