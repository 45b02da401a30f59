// Summarize: the measurements of a run as tables, one a workload: a row a phase, a cell an engine,
// medians over the repetitions with their spread, and emdb's ratio to the best of its peers.

#ifndef EMDB_TOOLS_BENCH_SUMMARY_H_
#define EMDB_TOOLS_BENCH_SUMMARY_H_

#include <optional>
#include <string>
#include <vector>

#include "tools/bench/results.h"

namespace emdb::bench {

struct Cell {
  std::string engine;
  int repetitions = 0;
  double median = 0;
  double low = 0;
  double high = 0;
  // Of the repetition that has the median (of two middle ones the lower).
  Measurement typical;
};

struct Row {
  std::string phase;
  Unit unit = Unit::kPerSecond;
  std::vector<Cell> cells;  // in the order of the engines; those without a figure are left out
  // How much better emdb is than the best peer: 2 is twice the rate, or half the time or space.
  std::optional<double> ratio;
  std::string best_peer;

  // Null if the engine has no figure.
  const Cell* Find(std::string_view engine) const;
};

struct Table {
  std::string workload;
  std::string summary;
  std::vector<Row> rows;

  const Row* Find(std::string_view phase) const;
};

std::vector<Table> Summarize(const Results& results);

}  // namespace emdb::bench

#endif  // EMDB_TOOLS_BENCH_SUMMARY_H_
