// The report as one HTML page that needs nothing else: bars for each phase, latencies, curves over
// time, the machine. Reads on a phone, in print, in light and dark, without scripts or network.

#ifndef EMDB_TOOLS_BENCH_REPORT_HTML_H_
#define EMDB_TOOLS_BENCH_REPORT_HTML_H_

#include <string>

#include "tools/bench/results.h"

namespace emdb::bench {

std::string HtmlReport(const Results& results);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_REPORT_HTML_H_
