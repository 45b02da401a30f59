// The report as Markdown tables.

#ifndef EMDB_TOOLS_BENCH_REPORT_MARKDOWN_H_
#define EMDB_TOOLS_BENCH_REPORT_MARKDOWN_H_

#include <string>

#include "tools/bench/results.h"

namespace emdb::bench {

std::string MarkdownReport(const Results& results);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_REPORT_MARKDOWN_H_
