#include "tools/bench/report.h"

#include <filesystem>
#include <system_error>

#include "storage/status.h"

namespace emdb::bench {

absl::Status WriteReports(const Results& results, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError(error.value(), "mkdir", directory);
  EMDB_RETURN_IF_ERROR(WriteFile(directory + "/results.jsonl", results.ToJsonLines()));
  EMDB_RETURN_IF_ERROR(WriteFile(directory + "/report.md", MarkdownReport(results)));
  EMDB_RETURN_IF_ERROR(WriteFile(directory + "/report.html", HtmlReport(results)));
  return WriteFile(directory + "/summary.svg", SummarySvg(results));
}

}  // namespace emdb::bench
