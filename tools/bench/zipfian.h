// Zipfian: numbers in [0, n) of which a few are drawn most of the time, as YCSB draws its keys.
// The method is that of Gray et al., "Quickly generating billion-record synthetic databases"
// (SIGMOD 1994), section 3, with YCSB's theta of 0.99.

#ifndef EMDB_TOOLS_BENCH_ZIPFIAN_H_
#define EMDB_TOOLS_BENCH_ZIPFIAN_H_

#include <cstdint>

#include "tools/bench/random.h"

namespace emdb::bench {

class Zipfian {
 public:
  // Takes time proportional to n, at least 1.
  explicit Zipfian(uint64_t n);

  // 0 is the most frequent number, then 1, and so on.
  uint64_t Rank(Random* random) const;
  // The same frequencies, spread over [0, n).
  uint64_t Scrambled(Random* random) const { return Mix64(Rank(random) + kGoldenRatio64) % n_; }

 private:
  uint64_t n_;
  double zeta_n_;
  double alpha_;
  double eta_;
};

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_ZIPFIAN_H_
