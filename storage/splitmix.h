// SplitMix64: a small, fast generator of numbers that look random; for tests and simulations, not
// for secrets. Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
// generators", 2014.

#ifndef EMDB_STORAGE_SPLITMIX_H_
#define EMDB_STORAGE_SPLITMIX_H_

#include <cstdint>

namespace emdb {

// The next number; any state will do as a seed.
inline uint64_t SplitMix64(uint64_t* state) {
  *state += 0x9E3779B97F4A7C15;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace emdb

#endif  // EMDB_STORAGE_SPLITMIX_H_
