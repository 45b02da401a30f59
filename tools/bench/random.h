// Pseudo-random numbers of the benchmark: the same on every machine, and cheap enough to be drawn
// inside a timed loop. Mix64 and its inverse are the finalizer of SplitMix64 (Steele, Lea, Flood:
// "Fast splittable pseudorandom number generators", OOPSLA 2014).

#ifndef EMDB_TOOLS_BENCH_RANDOM_H_
#define EMDB_TOOLS_BENCH_RANDOM_H_

#include <cstdint>

namespace emdb::bench {

inline constexpr uint64_t kGoldenRatio64 = 0x9e3779b97f4a7c15;

// A bijection of 64-bit numbers that looks random.
inline constexpr uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Unmix64(Mix64(x)) == x.
inline uint64_t Unmix64(uint64_t x) {
  x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3;
  x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089;
  return x ^ (x >> 30) ^ (x >> 60);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(Mix64(seed + kGoldenRatio64)) {}

  uint64_t Next() {
    state_ += kGoldenRatio64;
    return Mix64(state_);
  }

  // Uniform in [0, limit); limit is at least 1.
  uint64_t Below(uint64_t limit) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * limit) >> 64);
  }

  // Uniform in [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_RANDOM_H_
