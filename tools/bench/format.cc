#include "tools/bench/format.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace emdb::bench {
namespace {

// Three significant digits without an exponent, for values below 1,000.
std::string ThreeDigits(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude >= 99.95) return absl::StrFormat("%.0f", value);
  if (magnitude >= 9.995) return absl::StrFormat("%.1f", value);
  if (magnitude >= 0.0995 || magnitude == 0) return absl::StrFormat("%.2f", value);
  return absl::StrFormat("%.3g", value);
}

// Divides by `base` while the value is too large for three digits.
template <size_t n>
std::string Scale(double value, double base, const char* const (&suffixes)[n]) {
  size_t i = 0;
  while (i + 1 < n && std::fabs(value) >= 999.5) {
    value /= base;
    ++i;
  }
  return absl::StrCat(ThreeDigits(value), suffixes[i]);
}

}  // namespace

std::string FormatCount(double value) { return Scale(value, 1000, {"", "k", "M", "G"}); }

std::string FormatBytes(double bytes) {
  return Scale(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
}

std::string FormatNanos(double nanos) { return Scale(nanos, 1000, {" ns", " us", " ms", " s"}); }

std::string FormatValue(double value, Unit unit) {
  switch (unit) {
    case Unit::kPerSecond:
      return FormatCount(value) + "/s";
    case Unit::kSeconds:
      return FormatNanos(value * 1e9);
    case Unit::kBytes:
      return FormatBytes(value);
    case Unit::kRatio:
      return ThreeDigits(value);
  }
  return "";
}

std::string FormatRatio(double ratio) { return ThreeDigits(ratio) + "x"; }

}  // namespace emdb::bench
