// The pictures of the reports.

#ifndef EMDB_TOOLS_BENCH_REPORT_SVG_H_
#define EMDB_TOOLS_BENCH_REPORT_SVG_H_

#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/results.h"

namespace emdb::bench {

// One picture for a README, with colors of its own for light and dark: emdb's ratio to the best of
// its peers in the phases that matter most, as far as they were measured.
std::string SummarySvg(const Results& results);

struct Curve {
  std::string css_class;  // gives it its color
  std::vector<double> values;
};

// Curves over 1, 2, ... on a page that styles .axis, .grid, .label and the classes of the curves.
// With `x_labels`, these stand under the points; otherwise the numbers of seconds do.
struct ChartOptions {
  bool is_logarithmic = false;
  std::vector<std::string> x_labels;
  std::string (*format)(double value) = nullptr;
};
std::string CurvesSvg(const std::vector<Curve>& curves, const ChartOptions& options);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_REPORT_SVG_H_
