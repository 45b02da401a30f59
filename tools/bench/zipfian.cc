#include "tools/bench/zipfian.h"

#include <algorithm>
#include <cmath>

namespace emdb::bench {
namespace {

constexpr double kTheta = 0.99;

double Zeta(uint64_t n) {
  double sum = 0;
  for (uint64_t i = 1; i <= n; ++i) sum += std::pow(static_cast<double>(i), -kTheta);
  return sum;
}

}  // namespace

Zipfian::Zipfian(uint64_t n) : n_(n), zeta_n_(Zeta(n)), alpha_(1 / (1 - kTheta)) {
  const double zeta_2 = Zeta(2);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(n), 1 - kTheta)) / (1 - zeta_2 / zeta_n_);
}

uint64_t Zipfian::Rank(Random* random) const {
  const double u = random->Fraction();
  const double uz = u * zeta_n_;
  if (uz < 1) return 0;
  if (uz < 1 + std::pow(0.5, kTheta)) return std::min<uint64_t>(1, n_ - 1);
  const double rank = static_cast<double>(n_) * std::pow(eta_ * u - eta_ + 1, alpha_);
  return std::min(static_cast<uint64_t>(rank), n_ - 1);
}

}  // namespace emdb::bench
