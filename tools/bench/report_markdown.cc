#include "tools/bench/report_markdown.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/bench/format.h"
#include "tools/bench/summary.h"

namespace emdb::bench {
namespace {

// A line break or a bar would end the cell.
std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}

std::string Heading(const Results& results) {
  const RunDescription& run = results.run;
  std::string out =
      absl::StrCat("# emdb beside its peers\n\n", run.date, ", profile `", run.profile, "`.");
  if (!results.is_complete) out += " **This run was cut short: what follows is a part of it.**";
  absl::StrAppend(&out, "\n\n    ", run.command, "\n\n");
  for (const auto& [name, value] : run.machine)
    absl::StrAppend(&out, "- ", name, ": ", value, "\n");
  out +=
      "\nMedians; the spread (lowest to highest) is in parentheses. The last column is how much "
      "better emdb is than the best of its peers: above 1 it is ahead.\n";
  return out;
}

std::string Failures(const Results& results) {
  if (results.failures.empty()) return "";
  std::string out = "\n## Not measured\n\n| workload | engine | why |\n|---|---|---|\n";
  for (const Failure& failure : results.failures) {
    absl::StrAppend(&out, "| ", failure.workload, " | ", failure.engine, " | ",
                    failure.is_skip ? "" : "**failed**: ", Escape(failure.message), " |\n");
  }
  return out;
}

std::string FormatCell(const Cell* cell, Unit unit) {
  if (cell == nullptr) return "-";
  std::string out = FormatValue(cell->median, unit);
  if (cell->repetitions > 1 && cell->high > cell->low) {
    absl::StrAppend(&out, " (", FormatValue(cell->low, unit), " to ", FormatValue(cell->high, unit),
                    ")");
  }
  return out;
}

std::string MainTable(const Table& table, const RunDescription& run) {
  std::string out = "|  |";
  std::string rule = "|---|";
  for (const EngineDescription& engine : run.engines) {
    absl::StrAppend(&out, " ", engine.name, " |");
    rule += "---|";
  }
  absl::StrAppend(&out, " emdb to best peer |\n", rule, "---|\n");
  for (const Row& row : table.rows) {
    absl::StrAppend(&out, "| ", row.phase, " |");
    for (const EngineDescription& engine : run.engines) {
      absl::StrAppend(&out, " ", FormatCell(row.Find(engine.name), row.unit), " |");
    }
    absl::StrAppend(&out, " ",
                    row.ratio.has_value()
                        ? absl::StrCat(FormatRatio(*row.ratio), " ", row.best_peer)
                        : std::string("-"),
                    " |\n");
  }
  return out;
}

// Of the phases whose operations were all timed and durable.
std::string LatencyTable(const Table& table) {
  std::string out;
  for (const Row& row : table.rows) {
    for (const Cell& cell : row.cells) {
      const Measurement& m = cell.typical;
      if (m.probe_p50_ns == 0 || m.operations == 0) continue;
      absl::StrAppend(
          &out, "| ", row.phase, " | ", cell.engine, " | ",
          FormatNanos(static_cast<double>(m.latency.p50_ns)), " | ",
          FormatNanos(static_cast<double>(m.latency.p99_ns)), " | ",
          FormatNanos(static_cast<double>(m.latency.p999_ns)), " | ",
          FormatNanos(static_cast<double>(m.latency.max_ns)), " | ",
          absl::StrFormat("%.3f", static_cast<double>(m.syncs) / static_cast<double>(m.operations)),
          " | ", FormatNanos(static_cast<double>(m.probe_p50_ns)), " |\n");
    }
  }
  if (out.empty()) return "";
  return absl::StrCat(
      "\n| durable phase | engine | p50 | p99 | p99.9 | max | syncs an operation | the disk's own "
      "write + fdatasync, p50 |\n|---|---|---|---|---|---|---|---|\n",
      out);
}

std::string Engines(const RunDescription& run) {
  std::string out =
      "\n## Engines\n\n| engine | version | setup | durability |\n|---|---|---|---|\n";
  for (const EngineDescription& engine : run.engines) {
    absl::StrAppend(&out, "| ", engine.name, " | ", engine.version, " | ", Escape(engine.setup),
                    " | ", Escape(engine.durability), " |\n");
  }
  return out;
}

}  // namespace

std::string MarkdownReport(const Results& results) {
  std::string out = Heading(results);
  out += Failures(results);
  for (const Table& table : Summarize(results)) {
    absl::StrAppend(&out, "\n## ", table.workload, "\n\n", table.summary, "\n\n",
                    MainTable(table, results.run), LatencyTable(table));
  }
  return out + Engines(results.run);
}

}  // namespace emdb::bench
