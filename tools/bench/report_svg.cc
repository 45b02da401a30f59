#include "tools/bench/report_svg.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/status.h"
#include "tools/bench/format.h"
#include "tools/bench/summary.h"

namespace emdb::bench {
namespace {

struct Headline {
  std::string_view workload;
  std::string_view phase;
  std::string_view label;
};

constexpr std::array kHeadlines = std::to_array<Headline>({
    {"commit", "1 thread", "durable commits, 1 thread"},
    {"commit", "8 threads", "durable commits, 8 threads"},
    {"commit", "64 threads", "durable commits, 64 threads"},
    {"redb", "bulk load, settled", "load, 24 + 150 bytes, random keys"},
    {"redb", "durable batches of 1,000, rows", "durable batches of 1,000"},
    {"redb", "unsynced single writes", "unsynced writes"},
    {"db_bench-100", "fillrandom, settled", "random fill, settled"},
    {"redb", "random reads", "random reads"},
    {"redb", "random reads, 4 threads", "random reads, 4 threads"},
    {"redb", "seek + 10 rows", "seek + 10 rows"},
    {"db_bench-100", "readmissing", "reads of missing keys"},
    {"db_bench-100", "multiget of 32, keys", "multiget of 32"},
    {"db_bench-100", "readseq", "full scan"},
    {"ycsb", "A: 50% reads, 50% updates", "YCSB A"},
    {"ycsb", "C: reads", "YCSB C"},
    {"ycsb", "E: 95% scans, 5% inserts", "YCSB E"},
    {"queue", "messages, later", "queue"},
    {"recovery-64", "open after SIGKILL", "recovery of a 64 MiB log"},
    {"bigger", "random reads", "cold reads, 4 times the memory"},
    {"bigger", "random writes, settled", "random writes, 4 times the memory"},
    {"bigger", "random reads after writes", "cold reads after these"},
    {"bigger", "bytes written per byte", "bytes written per byte, the same"},
    {"bigger", "size on disk", "size on disk, the same"},
    {"db_bench-1000", "fillseq, settled", "1,000 bytes in order, settled"},
    {"recovery-64", "open after a close", "open after a close"},
    {"redb", "size after writes", "size on disk"},
    {"redb", "peak memory", "peak memory"},
});

constexpr std::string_view kSummaryStyle =
    "<style>text{font:13px system-ui,sans-serif;fill:#212529}.note{fill:#495057}"
    ".title{font-weight:600;font-size:15px}.axis{stroke:#868e96}.grid{stroke:#dee2e6}"
    ".ahead{fill:#2f9e44}.behind{fill:#e8590c}.back{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e9ecef}.note{fill:#adb5bd}.back{fill:#16191d}"
    ".grid{stroke:#343a40}.ahead{fill:#51cf66}.behind{fill:#ff922b}}</style>";

struct RatioRow {
  std::string label;
  double ratio;
  std::string peer;
};

std::vector<RatioRow> HeadlineRows(const Results& results) {
  const std::vector<Table> tables = Summarize(results);
  std::vector<RatioRow> rows;
  for (const Headline& headline : kHeadlines) {
    for (const Table& table : tables) {
      const Row* const row =
          table.workload == headline.workload ? table.Find(headline.phase) : nullptr;
      if (row == nullptr || !row->ratio.has_value()) continue;
      rows.push_back({std::string(headline.label), *row->ratio, row->best_peer});
    }
  }
  return rows;
}

std::string Text(double x, double y, std::string_view attributes, std::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>", x, y, ToAbsl(attributes),
                         ToAbsl(text));
}

std::string Line(double x1, double y1, double x2, double y2, const char* css_class) {
  return absl::StrFormat("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                         css_class, x1, y1, x2, y2);
}

// The scale of the summary: ratios on a logarithmic axis with 1 somewhere inside.
class RatioAxis {
 public:
  static constexpr double kLeft = 270;
  static constexpr double kRight = 620;

  explicit RatioAxis(const std::vector<RatioRow>& rows) {
    for (const RatioRow& row : rows) {
      low_ = std::min(low_, row.ratio);
      high_ = std::max(high_, row.ratio);
    }
  }

  double X(double ratio) const {
    return kLeft + (kRight - kLeft) * std::log(ratio / low_) / std::log(high_ / low_);
  }

  std::string Grid(double top, double bottom) const {
    constexpr double kLabelWidth = 40;
    std::string out;
    double labelled_to = kLeft - kLabelWidth;
    for (const double ratio :
         {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0}) {
      if (ratio < low_ || ratio > high_) continue;
      out += Line(X(ratio), top, X(ratio), bottom, "grid");
      // Neighbours, and the 1, must not run into one another.
      if (X(ratio) - labelled_to < kLabelWidth || std::fabs(X(ratio) - X(1)) < kLabelWidth)
        continue;
      labelled_to = X(ratio);
      out += Text(X(ratio), bottom + 16, "class=\"note\" text-anchor=\"middle\"",
                  absl::StrFormat("%gx", ratio));
    }
    return out + Line(X(1), top, X(1), bottom, "axis") +
           Text(X(1), bottom + 16, "text-anchor=\"middle\"", "1");
  }

 private:
  double low_ = 0.5;
  double high_ = 2;
};

// The least of 1, 2 and 5 times a power of ten that divides `high` into at most five.
double RoundStep(double high) {
  const double least = high / 5;
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double step : {power, 2 * power, 5 * power}) {
    if (step >= least) return step;
  }
  return 10 * power;
}

// The area of a chart of curves and the scale of its values.
class ChartArea {
 public:
  static constexpr double kWidth = 380;
  static constexpr double kHeight = 200;

  ChartArea(const std::vector<Curve>& curves, const ChartOptions& options) : options_(options) {
    double low = 1e300;
    for (const Curve& curve : curves) {
      points_ = std::max(points_, curve.values.size());
      for (const double value : curve.values) {
        high_ = std::max(high_, value);
        if (value > 0) low = std::min(low, value);
      }
    }
    // Powers of ten around the values; a linear scale begins at 0 and ends at a round number.
    if (options_.is_logarithmic) {
      low_ = std::pow(10, std::floor(std::log10(std::min(low, high_))));
      high_ = std::max(low_ * 10, std::pow(10, std::ceil(std::log10(high_))));
    } else {
      step_ = RoundStep(high_);
      high_ = std::ceil(high_ / step_) * step_;
    }
  }

  size_t points() const { return points_; }

  double X(size_t point) const {
    const double share = points_ < 2 ? 0.5 : static_cast<double>(point) / (points_ - 1.0);
    return kLeft + share * (kWidth - kLeft - kRight);
  }

  double Y(double value) const {
    const double share = options_.is_logarithmic
                             ? std::log(std::max(value, low_) / low_) / std::log(high_ / low_)
                             : value / high_;
    return kHeight - kBottom - share * (kHeight - kTop - kBottom);
  }

  std::string Grid() const {
    std::string out;
    for (const double value : GridValues()) {
      out += Line(kLeft, Y(value), kWidth - kRight, Y(value), "grid");
      out += Text(kLeft - 6, Y(value) + 4, "class=\"label\" text-anchor=\"end\"",
                  options_.format == nullptr ? FormatCount(value) : options_.format(value));
    }
    const size_t step = options_.x_labels.empty() ? std::max<size_t>(1, points_ / 5) : 1;
    for (size_t i = 0; i < points_; i += step) {
      const std::string label =
          i < options_.x_labels.size() ? options_.x_labels[i] : absl::StrCat(i + 1, " s");
      out += Text(X(i), kHeight - 8, "class=\"label\" text-anchor=\"middle\"", label);
    }
    return out;
  }

 private:
  static constexpr double kLeft = 58;
  static constexpr double kRight = 20;
  static constexpr double kTop = 10;
  static constexpr double kBottom = 28;

  std::vector<double> GridValues() const {
    std::vector<double> values;
    if (options_.is_logarithmic) {
      for (double value = low_; value <= high_ * 1.001; value *= 10) values.push_back(value);
    } else {
      for (double value = 0; value <= high_ * 1.001; value += step_) values.push_back(value);
    }
    return values;
  }

  const ChartOptions& options_;
  size_t points_ = 0;
  double low_ = 1;
  double high_ = 1;
  double step_ = 1;  // of a linear scale
};

}  // namespace

std::string SummarySvg(const Results& results) {
  constexpr double kWidth = 800;
  constexpr double kRowHeight = 24;
  constexpr double kTop = 64;
  const std::vector<RatioRow> rows = HeadlineRows(results);
  const RatioAxis axis(rows);
  const double bottom = kTop + kRowHeight * static_cast<double>(rows.size());
  const double height = bottom + 30;
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "aria-label=\"emdb compared with the best of its peers\">%s"
      "<rect class=\"back\" width=\"%.0f\" height=\"%.0f\"/>",
      kWidth, height, ToAbsl(kSummaryStyle), kWidth, height);
  out +=
      Text(16, 26, "class=\"title\"", "emdb compared with the best of its peers, phase by phase");
  out += Text(16, 46, "class=\"note\"",
              absl::StrCat("right of 1: emdb is ahead; ", results.run.date, ", ",
                           results.run.profile, " profile"));
  out += axis.Grid(kTop, bottom);
  for (size_t i = 0; i < rows.size(); ++i) {
    const RatioRow& row = rows[i];
    const double y = kTop + kRowHeight * static_cast<double>(i);
    const double from = std::min(axis.X(1), axis.X(row.ratio));
    const double to = std::max(axis.X(1), axis.X(row.ratio));
    out += Text(RatioAxis::kLeft - 10, y + 16, "text-anchor=\"end\"", row.label);
    absl::StrAppendFormat(
        &out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" rx=\"2\"/>",
        row.ratio >= 1 ? "ahead" : "behind", from, y + 5, std::max(1.0, to - from));
    out += Text(RatioAxis::kRight + 8, y + 16, "class=\"note\"",
                absl::StrCat(FormatRatio(row.ratio), " ", row.peer));
  }
  return out + "</svg>\n";
}

std::string CurvesSvg(const std::vector<Curve>& curves, const ChartOptions& options) {
  const ChartArea area(curves, options);
  std::string out = absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">%s",
                                    ChartArea::kWidth, ChartArea::kHeight, area.Grid());
  for (const Curve& curve : curves) {
    std::string points;
    for (size_t i = 0; i < curve.values.size(); ++i) {
      absl::StrAppendFormat(&points, "%.1f,%.1f ", area.X(i), area.Y(curve.values[i]));
    }
    absl::StrAppend(&out, "<polyline class=\"curve ", curve.css_class, "\" points=\"", points,
                    "\"/>");
  }
  return out + "</svg>";
}

}  // namespace emdb::bench
