// KeyFilter: which keys a memtable may hold. A read of another key, which most are, learns from one
// word that it need not look: a search would cost it several cache misses.
//
// A Bloom filter in which all bits of a key lie in one word: four of 64. An eighth of a bit for
// each byte of the memtable: of records of 200 bytes one absent key in a thousand passes, of
// records of 50 bytes one in twenty.
//
// One thread at a time adds. Any number of threads ask, without locks, and are told of every key
// whose adding happened before.

#ifndef EMDB_KV_KEY_FILTER_H_
#define EMDB_KV_KEY_FILTER_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/coding.h"
#include "storage/zeroed_array.h"

namespace emdb {

class KeyFilter {
 public:
  // Of a memtable of that size. Its memory is taken from the system as it is touched.
  explicit KeyFilter(size_t memtable_bytes)
      : word_count_(static_cast<uint32_t>(
            std::clamp<size_t>(memtable_bytes / kMemtableBytesPerWord, 1, UINT32_MAX))),
        words_(word_count_) {}

  void Add(std::string_view key) {
    const uint64_t hash = Hash(key);
    Word& word = WordOf(hash);
    // Relaxed, as below: what makes a record visible to a reader makes this visible, too.
    word.store(word.load(std::memory_order_relaxed) | BitsOf(hash), std::memory_order_relaxed);
  }

  // Asks for the word that Add will change.
  [[gnu::always_inline]] void Prefetch(std::string_view key) const {
    __builtin_prefetch(&WordOf(Hash(key)), 1);
  }

  bool MayContain(std::string_view key) const {
    const uint64_t hash = Hash(key);
    const uint64_t bits = BitsOf(hash);
    return (WordOf(hash).load(std::memory_order_relaxed) & bits) == bits;
  }

 private:
  using Word = std::atomic<uint64_t>;
  static constexpr size_t kMemtableBytesPerWord = 512;

  // Both halves of the product: each bit of `a` reaches many of the result.
  static uint64_t Mix(uint64_t a) {
    const auto product = static_cast<unsigned __int128>(a) * 0x9e3779b97f4a7c15;
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }
  static uint64_t Hash(std::string_view key) {
    constexpr size_t kStep = sizeof(uint64_t);
    uint64_t hash = Mix(key.size() + 1);
    size_t at = 0;
    for (; at + kStep < key.size(); at += kStep) hash = Mix(hash ^ Load64(key.data() + at));
    if (key.size() >= kStep) return Mix(hash ^ Load64(key.data() + key.size() - kStep));
    uint64_t last = 0;
    std::copy(key.begin(), key.end(), reinterpret_cast<char*>(&last));
    return Mix(hash ^ last);
  }

  // The upper half of the hash chooses the word, the lower one the bits.
  Word& WordOf(uint64_t hash) const { return words_[((hash >> 32) * word_count_) >> 32]; }
  static uint64_t BitsOf(uint64_t hash) {
    const auto bit = [hash](int i) { return uint64_t{1} << ((hash >> (6 * i)) & 63); };
    return bit(0) | bit(1) | bit(2) | bit(3);
  }

  const uint32_t word_count_;
  const ZeroedArray<Word> words_;
};

}  // namespace emdb

#endif  // EMDB_KV_KEY_FILTER_H_
