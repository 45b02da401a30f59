#include "tools/bench/progress_view.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace emdb::bench {
namespace {

std::string FormatTime(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

}  // namespace

ProgressView::ProgressView(FILE* out) : out_(out), is_terminal_(isatty(fileno(out)) == 1) {}

// "[ 12/180]  1:23 of about 9:30  redb  lmdb".
std::string ProgressView::Prefix(const RunnerObserver::Job& job) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string time = FormatTime(elapsed);
  if (job.number > 1) {
    absl::StrAppend(&time, " of about ", FormatTime(elapsed * job.total / (job.number - 1)));
  }
  return absl::StrFormat("[%*d/%d] %s  %s  %s", static_cast<int>(absl::StrCat(job.total).size()),
                         job.number, job.total, time, job.workload, job.engine);
}

void ProgressView::ShowProgress(const RunnerObserver::Job& job, const std::string& phase,
                                double fraction) {
  if (!is_terminal_) return;
  absl::FPrintF(out_, "\r\033[K%s: %s %.0f%%", Prefix(job), phase, fraction * 100);
  std::fflush(out_);
}

void ProgressView::ShowFinished(const RunnerObserver::Job& job, const Results& results) {
  if (is_terminal_) absl::FPrintF(out_, "\r\033[K");
  for (; failures_shown_ < results.failures.size(); ++failures_shown_) {
    const Failure& failure = results.failures[failures_shown_];
    absl::FPrintF(out_, "%s %s: %s: %s\n", failure.is_skip ? "SKIPPED" : "FAILED", failure.workload,
                  failure.engine, failure.message);
  }
  if (!is_terminal_) absl::FPrintF(out_, "%s: done\n", Prefix(job));
  std::fflush(out_);
}

}  // namespace emdb::bench
