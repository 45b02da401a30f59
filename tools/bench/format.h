// Numbers as people read them, the same in every report.

#ifndef EMDB_TOOLS_BENCH_FORMAT_H_
#define EMDB_TOOLS_BENCH_FORMAT_H_

#include <string>

#include "tools/bench/measurement.h"

namespace emdb::bench {

// Three significant digits: "1.23M", "45.6k", "789", "0.012".
std::string FormatCount(double value);
// "1.23 GiB", "45.6 MiB".
std::string FormatBytes(double bytes);
// "1.23 s", "45.6 ms", "789 us", "12.0 ns".
std::string FormatNanos(double nanos);
// The value of a measurement: "45.6k/s", "1.23 s", "45.6 MiB", "7.00".
std::string FormatValue(double value, Unit unit);
// "2.10x".
std::string FormatRatio(double ratio);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_FORMAT_H_
