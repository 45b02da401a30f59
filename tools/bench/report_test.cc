#include "tools/bench/report.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/format.h"
#include "tools/bench/summary.h"

namespace emdb::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void Add(Results* results, const std::string& engine, Unit unit, double value) {
  Measurement measurement;
  measurement.workload = "commit";
  measurement.phase = unit == Unit::kSeconds ? "reopen" : "8 threads";
  measurement.engine = engine;
  measurement.unit = unit;
  measurement.value = value;
  results->measurements.push_back(measurement);
}

Results Example() {
  Results results;
  results.run.profile = "smoke";
  results.run.engines = {
      {"emdb", "1", "a | b <c>", ""}, {"lmdb", "2", "", ""}, {"sqlite", "3", "", ""}};
  results.run.workloads = {{"commit", "durable writes"}, {"never", "not run"}};
  for (const double value : {90.0, 110.0, 100.0}) {
    Add(&results, "emdb", Unit::kPerSecond, value);
  }
  Add(&results, "sqlite", Unit::kPerSecond, 10);
  Add(&results, "lmdb", Unit::kPerSecond, 40);
  Add(&results, "emdb", Unit::kSeconds, 2);
  Add(&results, "lmdb", Unit::kSeconds, 1);
  results.is_complete = true;
  return results;
}

TEST(SummaryTest, MediansSpreadsAndTheBestPeer) {
  const std::vector<Table> tables = Summarize(Example());
  ASSERT_EQ(tables.size(), 1) << "workloads without a figure are left out";
  const Row* const row = tables[0].Find("8 threads");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->Find("emdb")->median, 100);
  EXPECT_EQ(row->Find("emdb")->low, 90);
  EXPECT_EQ(row->Find("emdb")->high, 110);
  EXPECT_EQ(row->best_peer, "lmdb");
  EXPECT_DOUBLE_EQ(row->ratio.value_or(0), 2.5);
  EXPECT_EQ(row->cells[1].engine, "lmdb") << "in the order of the engines";
}

TEST(SummaryTest, LessIsBetterForTimes) {
  const std::vector<Table> tables = Summarize(Example());
  const Row* const row = tables[0].Find("reopen");
  ASSERT_NE(row, nullptr);
  EXPECT_DOUBLE_EQ(row->ratio.value_or(0), 0.5);
}

TEST(FormatTest, ThreeDigits) {
  EXPECT_EQ(FormatCount(0), "0.00");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(999.6), "1.00k");
  EXPECT_EQ(FormatCount(45'678), "45.7k");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatNanos(1.5e6), "1.50 ms");
  EXPECT_EQ(FormatValue(0.25, Unit::kSeconds), "250 ms");
  EXPECT_EQ(FormatRatio(0.0079), "0.0079x");
}

TEST(ReportTest, MarkdownShowsMediansRatiosAndFailures) {
  Results results = Example();
  results.failures = {{"commit", "sqlite", 0, "broke | apart", false}};
  const std::string text = MarkdownReport(results);
  EXPECT_THAT(text,
              HasSubstr("| 8 threads | 100/s (90.0/s to 110/s) | 40.0/s | 10.0/s | 2.50x lmdb |"));
  EXPECT_THAT(text, HasSubstr("**failed**: broke \\| apart"));
  EXPECT_THAT(text, Not(HasSubstr("cut short")));
  results.is_complete = false;
  EXPECT_THAT(MarkdownReport(results), HasSubstr("cut short"));
}

TEST(ReportTest, HtmlIsSelfContainedAndEscaped) {
  const std::string html = HtmlReport(Example());
  EXPECT_THAT(html, HasSubstr("a | b &lt;c&gt;"));
  EXPECT_THAT(html, HasSubstr("2.50x"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
}

TEST(ReportTest, SummaryPictureHasABarForEachHeadlineThatWasMeasured) {
  const std::string svg = SummarySvg(Example());
  EXPECT_THAT(svg, HasSubstr("durable commits, 8 threads"));
  EXPECT_THAT(svg, HasSubstr("2.50x lmdb"));
  EXPECT_THAT(svg, Not(HasSubstr("durable commits, 64 threads")));
}

TEST(ReportTest, EmptyResultsGiveValidReports) {
  const Results nothing;
  EXPECT_THAT(MarkdownReport(nothing), HasSubstr("cut short"));
  EXPECT_THAT(HtmlReport(nothing), HasSubstr("</html>"));
  EXPECT_THAT(SummarySvg(nothing), HasSubstr("</svg>"));
  EXPECT_THAT(SummarySvg(nothing), Not(HasSubstr("nan")));
}

TEST(ReportTest, CurvesOfOnePointAndOfNoneAreDrawn) {
  const std::string svg = CurvesSvg(
      {{"e0", {5}}, {"e1", {}}}, {.is_logarithmic = true, .x_labels = {}, .format = FormatNanos});
  EXPECT_THAT(svg, HasSubstr("polyline"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(ReportTest, AllFilesAreWrittenAndTheResultsReadBack) {
  const std::string directory = ::testing::TempDir() + "/report_test/deeper";
  ASSERT_TRUE(WriteReports(Example(), directory).ok());
  for (const char* name : {"/report.md", "/report.html", "/summary.svg"}) {
    EXPECT_TRUE(ReadFile(directory + name).ok()) << name;
  }
  const absl::StatusOr<std::string> text = ReadFile(directory + "/results.jsonl");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(Results::FromJsonLines(*text)->measurements.size(), 7);
}

}  // namespace
}  // namespace emdb::bench
