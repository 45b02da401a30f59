// PageBitmap: a fixed number of bits, searched by runs. Not thread safe.

#ifndef EMDB_PAGESTORE_PAGE_BITMAP_H_
#define EMDB_PAGESTORE_PAGE_BITMAP_H_

#include <cstdint>
#include <vector>

namespace emdb {

class PageBitmap {
 public:
  // A multiple of 64 bits, all 0.
  explicit PageBitmap(uint32_t bits) : words_(bits / 64) {}

  uint32_t size() const { return static_cast<uint32_t>(words_.size() * 64); }
  uint32_t word_count() const { return static_cast<uint32_t>(words_.size()); }
  uint64_t word(uint32_t index) const { return words_[index]; }
  void set_word(uint32_t index, uint64_t word) { words_[index] = word; }

  bool Test(uint32_t bit) const { return (words_[bit / 64] >> (bit % 64) & 1) != 0; }
  void Set(uint32_t begin, uint32_t end) { Assign(begin, end, true); }
  void Clear(uint32_t begin, uint32_t end) { Assign(begin, end, false); }

  // Number of bits that are 1.
  uint32_t Count() const;
  uint32_t CountIn(uint32_t begin, uint32_t end) const;
  // The first 0 (or 1) at or behind `from`; size() if there is none.
  uint32_t NextClear(uint32_t from) const { return Next(from, ~uint64_t{0}); }
  uint32_t NextSet(uint32_t from) const { return Next(from, 0); }
  // One more than the last 1; 0 if there is none.
  uint32_t EndOfLastSet() const;

 private:
  void Assign(uint32_t begin, uint32_t end, bool value);
  // The first bit that differs from that of `pattern`, all 0 or all 1.
  uint32_t Next(uint32_t from, uint64_t pattern) const;

  std::vector<uint64_t> words_;
};

}  // namespace emdb

#endif  // EMDB_PAGESTORE_PAGE_BITMAP_H_
