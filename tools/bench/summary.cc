#include "tools/bench/summary.h"

#include <algorithm>
#include <utility>

namespace emdb::bench {
namespace {

constexpr std::string_view kOurs = "emdb";

Cell MakeCell(std::vector<Measurement> repetitions) {
  std::sort(repetitions.begin(), repetitions.end(),
            [](const Measurement& a, const Measurement& b) { return a.value < b.value; });
  const size_t count = repetitions.size();
  Cell cell;
  cell.engine = repetitions[0].engine;
  cell.repetitions = static_cast<int>(count);
  cell.low = repetitions.front().value;
  cell.high = repetitions.back().value;
  cell.median = (repetitions[(count - 1) / 2].value + repetitions[count / 2].value) / 2;
  cell.typical = std::move(repetitions[(count - 1) / 2]);
  return cell;
}

void CompareWithPeers(Row* row) {
  const Cell* const ours = row->Find(kOurs);
  if (ours == nullptr || ours->median <= 0) return;
  for (const Cell& cell : row->cells) {
    if (cell.engine == kOurs || cell.median <= 0) continue;
    const double ratio =
        HigherIsBetter(row->unit) ? ours->median / cell.median : cell.median / ours->median;
    if (row->ratio.has_value() && *row->ratio <= ratio) continue;
    row->ratio = ratio;
    row->best_peer = cell.engine;
  }
}

Row MakeRow(const std::string& phase, const std::vector<const Measurement*>& measurements,
            const RunDescription& run) {
  Row row;
  row.phase = phase;
  for (const EngineDescription& engine : run.engines) {
    std::vector<Measurement> repetitions;
    for (const Measurement* measurement : measurements) {
      if (measurement->engine == engine.name) repetitions.push_back(*measurement);
    }
    if (repetitions.empty()) continue;
    row.unit = repetitions[0].unit;
    row.cells.push_back(MakeCell(std::move(repetitions)));
  }
  CompareWithPeers(&row);
  return row;
}

}  // namespace

const Cell* Row::Find(std::string_view engine) const {
  const auto found = std::find_if(cells.begin(), cells.end(),
                                  [engine](const Cell& cell) { return cell.engine == engine; });
  return found == cells.end() ? nullptr : &*found;
}

const Row* Table::Find(std::string_view phase) const {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [phase](const Row& row) { return row.phase == phase; });
  return found == rows.end() ? nullptr : &*found;
}

std::vector<Table> Summarize(const Results& results) {
  std::vector<Table> tables;
  for (const auto& [workload, summary] : results.run.workloads) {
    // Phases in the order in which they were first measured.
    std::vector<std::pair<std::string, std::vector<const Measurement*>>> phases;
    for (const Measurement& measurement : results.measurements) {
      if (measurement.workload != workload) continue;
      auto phase = std::find_if(phases.begin(), phases.end(), [&measurement](const auto& known) {
        return known.first == measurement.phase;
      });
      if (phase == phases.end()) phase = phases.insert(phase, {measurement.phase, {}});
      phase->second.push_back(&measurement);
    }
    if (phases.empty()) continue;
    Table table{workload, summary, {}};
    for (const auto& [phase, measurements] : phases) {
      table.rows.push_back(MakeRow(phase, measurements, results.run));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace emdb::bench
