#include "tools/bench/report_html.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "storage/status.h"
#include "tools/bench/format.h"
#include "tools/bench/report_svg.h"
#include "tools/bench/summary.h"

namespace emdb::bench {
namespace {

// Engine i has the class "e<i>"; its color is --e<i>.
constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--back:#fff;--text:#212529;--soft:#5c636a;--line:#dee2e6;--card:#f8f9fa;
--e0:#d9480f;--e1:#1971c2;--e2:#74a9d8;--e3:#2b8a3e;--e4:#7048e8;--e5:#868e96;--e6:#a87b00;
--good:#2b8a3e;--bad:#c92a2a}
@media(prefers-color-scheme:dark){:root{--back:#16191d;--text:#e9ecef;--soft:#a4acb4;--line:#343a40;
--card:#1f2328;--e0:#ff922b;--e1:#4dabf7;--e2:#a5d8ff;--e3:#69db7c;--e4:#b197fc;--e5:#adb5bd;
--e6:#ffd43b;--good:#69db7c;--bad:#ff8787}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:1180px;font:15px/1.45 system-ui,sans-serif;
color:var(--text);background:var(--back)}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .2rem}
h3{font-size:.95rem;margin:0;font-weight:600}
p{margin:.3rem 0 .8rem;color:var(--soft)}
code,pre{font-size:.85em;white-space:pre-wrap;overflow-wrap:anywhere}
.grid{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .7rem;
break-inside:avoid}
.wide{grid-column:1/-1}
.head{display:flex;justify-content:space-between;gap:.5rem;align-items:baseline;margin-bottom:.3rem}
.ratio{font-weight:600;white-space:nowrap}.ahead{color:var(--good)}.behind{color:var(--bad)}
.bars{display:grid;grid-template-columns:auto 1fr auto;gap:.15rem .5rem;align-items:center;
font-size:.85rem}
.bars .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{height:.75rem;border-radius:2px;min-width:1px;print-color-adjust:exact;
-webkit-print-color-adjust:exact}
.spread{color:var(--soft);font-size:.75rem}
table{border-collapse:collapse;font-size:.85rem;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.2rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right}.figures td,th.n{white-space:nowrap}
.scroll{overflow-x:auto;margin-top:.8rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem .9rem;font-size:.85rem;margin:.3rem 0}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.3rem;
vertical-align:-1px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
svg{width:100%;height:auto;display:block}
svg .grid{stroke:var(--line)}svg .label{fill:var(--soft);font-size:11px}
svg .curve{fill:none;stroke-width:1.8;stroke-linejoin:round}
.failed{color:var(--bad);font-weight:600}
h2,h2+p{break-after:avoid}tr{break-inside:avoid}
@media print{body{max-width:none;padding:0;font-size:11px}.card{background:none}}
)";

std::string Escape(std::string_view text) {
  return absl::StrReplaceAll(ToAbsl(text),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

class HtmlPage {
 public:
  explicit HtmlPage(const Results& results) : results_(results), tables_(Summarize(results)) {}

  std::string Render() {
    AddHead();
    AddFailures();
    for (const Table& table : tables_) AddTable(table);
    AddMachine();
    AddEngines();
    out_ += "</body></html>\n";
    return std::move(out_);
  }

 private:
  size_t EngineIndex(std::string_view engine) const {
    const auto& engines = results_.run.engines;
    return std::find_if(engines.begin(), engines.end(),
                        [engine](const EngineDescription& e) { return e.name == engine; }) -
           engines.begin();
  }

  void AddHead() {
    absl::StrAppend(&out_,
                    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                    "<title>emdb beside its peers</title>",
                    ToAbsl(kStyle));
    for (size_t i = 0; i < results_.run.engines.size(); ++i) {
      absl::StrAppendFormat(&out_, ".e%d{background:var(--e%d)}svg .e%d{stroke:var(--e%d)}", i, i,
                            i, i);
    }
    absl::StrAppend(
        &out_, "</style></head><body><h1>emdb beside its peers</h1><p>", Escape(results_.run.date),
        ", profile ", Escape(results_.run.profile),
        ". Medians, with the lowest and highest repetition under the value; on the right "
        "how much better emdb is than the best of its peers. Every value that was read "
        "was checked while it was timed.</p>");
    if (!results_.is_complete) {
      out_ += "<p class=\"failed\">This run was cut short: what follows is a part of it.</p>";
    }
    AddLegend();
  }

  void AddLegend() {
    out_ += "<div class=\"legend\">";
    for (size_t i = 0; i < results_.run.engines.size(); ++i) {
      absl::StrAppend(&out_, "<span><i class=\"e", i, "\"></i>",
                      Escape(results_.run.engines[i].name), "</span>");
    }
    out_ += "</div>";
  }

  void AddFailures() {
    if (results_.failures.empty()) return;
    out_ += "<h2>Not measured</h2><div class=\"scroll\"><table><tr><th>workload<th>engine<th>why";
    for (const Failure& failure : results_.failures) {
      absl::StrAppend(
          &out_, "<tr><td>", Escape(failure.workload), "<td>", Escape(failure.engine), "<td>",
          failure.is_skip ? "" : "<span class=\"failed\">failed</span>: ", Escape(failure.message));
    }
    out_ += "</table></div>";
  }

  void AddTable(const Table& table) {
    absl::StrAppend(&out_, "<h2>", Escape(table.workload), "</h2><p>", Escape(table.summary),
                    "</p><div class=\"grid\">");
    for (const Row& row : table.rows) AddBars(row);
    AddLatencyCurves(table);
    AddSeries(table);
    out_ += "</div>";
    AddLatencyTable(table);
  }

  void AddBars(const Row& row) {
    absl::StrAppend(&out_, "<div class=\"card\"><div class=\"head\"><h3>", Escape(row.phase),
                    HigherIsBetter(row.unit) ? "" : " <span class=\"spread\">less is better</span>",
                    "</h3>");
    if (row.ratio.has_value()) {
      absl::StrAppend(&out_, "<span class=\"ratio ", *row.ratio >= 1 ? "ahead" : "behind", "\">",
                      FormatRatio(*row.ratio), "</span>");
    }
    out_ += "</div><div class=\"bars\">";
    double most = 0;
    for (const Cell& cell : row.cells) most = std::max(most, cell.median);
    for (const Cell& cell : row.cells) {
      absl::StrAppendFormat(
          &out_, "<span>%s</span><div class=\"bar e%d\" style=\"width:%.1f%%\"></div>",
          Escape(cell.engine), EngineIndex(cell.engine), most > 0 ? cell.median / most * 100 : 0.0);
      absl::StrAppend(&out_, "<span class=\"value\">", FormatValue(cell.median, row.unit));
      if (cell.high > cell.low) {
        absl::StrAppend(&out_, "<br><span class=\"spread\">", FormatValue(cell.low, row.unit),
                        " to ", FormatValue(cell.high, row.unit), "</span>");
      }
      out_ += "</span>";
    }
    out_ += "</div></div>";
  }

  void AddChart(const std::string& title, const std::vector<Curve>& curves,
                const ChartOptions& options) {
    absl::StrAppend(&out_, "<div class=\"card\"><h3>", Escape(title), "</h3>",
                    CurvesSvg(curves, options), "</div>");
  }

  // How the latency of single operations is distributed, where each was timed.
  void AddLatencyCurves(const Table& table) {
    for (const Row& row : table.rows) {
      std::vector<Curve> curves;
      for (const Cell& cell : row.cells) {
        const LatencySummary& l = cell.typical.latency;
        if (l.count < 100) continue;
        Curve curve{absl::StrCat("e", EngineIndex(cell.engine)), {}};
        for (const uint64_t nanos : {l.p50_ns, l.p90_ns, l.p99_ns, l.p999_ns, l.max_ns}) {
          curve.values.push_back(static_cast<double>(nanos));
        }
        curves.push_back(std::move(curve));
      }
      if (curves.empty()) continue;
      AddChart(row.phase + ": latency", curves,
               {.is_logarithmic = true,
                .x_labels = {"p50", "p90", "p99", "p99.9", "max"},
                .format = FormatNanos});
    }
  }

  void AddSeries(const Table& table) {
    for (const Row& row : table.rows) {
      std::vector<Curve> rates;
      std::vector<Curve> tails;
      for (const Cell& cell : row.cells) {
        if (cell.typical.series.empty()) continue;
        const std::string css_class = absl::StrCat("e", EngineIndex(cell.engine));
        Curve& rate = rates.emplace_back(Curve{css_class, {}});
        Curve& tail = tails.emplace_back(Curve{css_class, {}});
        for (const SecondOfSeries& second : cell.typical.series) {
          rate.values.push_back(static_cast<double>(second.operations));
          tail.values.push_back(static_cast<double>(second.p999_ns));
        }
      }
      if (rates.empty()) continue;
      AddChart(row.phase + ": operations in each second", rates, {});
      AddChart(row.phase + ": p99.9 of each second", tails,
               {.is_logarithmic = true, .x_labels = {}, .format = FormatNanos});
    }
  }

  void AddLatencyTable(const Table& table) {
    std::string rows;
    for (const Row& row : table.rows) {
      for (const Cell& cell : row.cells) {
        const Measurement& m = cell.typical;
        if (m.probe_p50_ns == 0 || m.operations == 0) continue;
        absl::StrAppend(&rows, "<tr><td>", Escape(row.phase), "<td>", Escape(cell.engine));
        for (const uint64_t nanos : {m.latency.p50_ns, m.latency.p99_ns, m.latency.p999_ns,
                                     m.latency.max_ns, m.probe_p50_ns}) {
          absl::StrAppend(&rows, "<td class=\"n\">", FormatNanos(static_cast<double>(nanos)));
        }
        absl::StrAppendFormat(&rows, "<td class=\"n\">%.3f",
                              static_cast<double>(m.syncs) / static_cast<double>(m.operations));
      }
    }
    if (rows.empty()) return;
    absl::StrAppend(
        &out_,
        "<div class=\"scroll\"><table class=\"figures\"><tr><th>durable phase<th>engine<th "
        "class=\"n\">p50"
        "<th class=\"n\">p99<th class=\"n\">p99.9<th class=\"n\">max<th class=\"n\">disk's "
        "own sync<th class=\"n\">syncs an operation",
        rows, "</table></div>");
  }

  void AddMachine() {
    out_ += "<h2>Machine</h2><table>";
    for (const auto& [name, value] : results_.run.machine) {
      absl::StrAppend(&out_, "<tr><th>", Escape(name), "<td>", Escape(value));
    }
    absl::StrAppend(&out_, "<tr><th>command<td><code>", Escape(results_.run.command),
                    "</code></table>");
  }

  void AddEngines() {
    out_ +=
        "<h2>Engines</h2><div class=\"scroll\"><table><tr><th>engine<th>version<th>setup"
        "<th>durability";
    for (const EngineDescription& engine : results_.run.engines) {
      absl::StrAppend(&out_, "<tr><td>", Escape(engine.name), "<td>", Escape(engine.version),
                      "<td>", Escape(engine.setup), "<td>", Escape(engine.durability));
    }
    out_ += "</table></div>";
  }

  const Results& results_;
  const std::vector<Table> tables_;
  std::string out_;
};

}  // namespace

std::string HtmlReport(const Results& results) { return HtmlPage(results).Render(); }

}  // namespace emdb::bench
