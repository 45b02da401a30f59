// WriteReports: the results of a run in all the forms they are published in.

#ifndef EMDB_TOOLS_BENCH_REPORT_H_
#define EMDB_TOOLS_BENCH_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "tools/bench/report_html.h"
#include "tools/bench/report_markdown.h"
#include "tools/bench/report_svg.h"
#include "tools/bench/results.h"

namespace emdb::bench {

// Writes results.jsonl, report.md, report.html and summary.svg into `directory`, which is made if
// it is missing. Each file is replaced as a whole.
absl::Status WriteReports(const Results& results, const std::string& directory);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_REPORT_H_
