#include "tools/quickstart/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "storage/status.h"
#include "tools/cli/progress.h"

namespace emdb::quickstart {
namespace {

using Clock = std::chrono::steady_clock;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  const Clock::time_point start_ = Clock::now();
};

absl::Status WrongValue(const Contender& contender, std::string_view key) {
  return absl::DataLossError(absl::StrCat(contender.name(), " gave wrong bytes for ", ToAbsl(key)));
}

double Median(const std::vector<Measurement>& rounds, double Measurement::*field) {
  std::vector<double> values;
  values.reserve(rounds.size());
  for (const Measurement& round : rounds) values.push_back(round.*field);
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace

SideBySide::SideBySide(const PackageIndex* index, double seconds)
    : index_(index), seconds_(seconds), sorted_(index->packages()) {
  std::sort(sorted_.begin(), sorted_.end(),
            [](const Package& a, const Package& b) { return a.name < b.name; });
}

absl::StatusOr<Measurement> SideBySide::Measure(Contender* contender) const {
  Measurement measured;
  measured.contender = contender->name();
  EMDB_ASSIGN_OR_RETURN(measured.loaded, MeasureLoad(contender));
  EMDB_ASSIGN_OR_RETURN(measured.commits_single, MeasureCommits(contender, 1));
  EMDB_ASSIGN_OR_RETURN(measured.commits_threads, MeasureCommits(contender, kThreads));
  EMDB_RETURN_IF_ERROR(contender->Settle());
  EMDB_ASSIGN_OR_RETURN(measured.gets, MeasureGets(contender));
  EMDB_ASSIGN_OR_RETURN(measured.scanned, MeasureScan(contender));
  return measured;
}

absl::StatusOr<double> SideBySide::MeasureLoad(Contender* contender) const {
  absl::Span<const Package> left = index_->packages();
  const Stopwatch watch;
  while (!left.empty()) {
    EMDB_RETURN_IF_ERROR(contender->Write(left.subspan(0, kBatchPackages)));
    left.remove_prefix(std::min<size_t>(left.size(), kBatchPackages));
  }
  return static_cast<double>(index_->packages().size()) / watch.seconds();
}

// Writes records again that are there, so that what is stored stays the same.
absl::StatusOr<double> SideBySide::MeasureCommits(Contender* contender, int threads) const {
  const std::vector<Package>& packages = index_->packages();
  std::atomic<uint64_t> commits{0};
  std::vector<absl::Status> statuses(static_cast<size_t>(threads));
  std::vector<std::thread> workers;
  workers.reserve(statuses.size());
  const Stopwatch watch;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      absl::Status& status = statuses[static_cast<size_t>(t)];
      do {
        status = contender->Write({&packages[random() % packages.size()], 1});
        // Only counted: what a commit publishes, the database synchronizes.
        if (status.ok()) commits.fetch_add(1, std::memory_order_relaxed);
      } while (status.ok() && watch.seconds() < seconds_);
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = watch.seconds();
  for (const absl::Status& status : statuses) EMDB_RETURN_IF_ERROR(status);
  return static_cast<double>(commits.load()) / seconds;
}

absl::StatusOr<double> SideBySide::MeasureGets(Contender* contender) const {
  const std::vector<Package>& packages = index_->packages();
  std::mt19937_64 random(1);
  std::string value;
  uint64_t gets = 0;
  const Stopwatch watch;
  do {
    // The clock is read once in so many gets.
    for (int i = 0; i < 64; ++i, ++gets) {
      const Package& package = packages[random() % packages.size()];
      EMDB_RETURN_IF_ERROR(contender->Get(package.name, &value));
      if (value != package.stanza) return WrongValue(*contender, package.name);
    }
  } while (watch.seconds() < seconds_);
  return static_cast<double>(gets) / watch.seconds();
}

absl::StatusOr<double> SideBySide::MeasureScan(Contender* contender) const {
  uint64_t scanned = 0;
  const Stopwatch watch;
  do {
    size_t at = 0;
    bool right = true;
    EMDB_RETURN_IF_ERROR(contender->Scan([&](std::string_view key, std::string_view value) {
      right =
          right && at < sorted_.size() && key == sorted_[at].name && value == sorted_[at].stanza;
      ++at;
    }));
    if (!right || at != sorted_.size()) {
      return absl::DataLossError(absl::StrCat(contender->name(), " gave a wrong scan"));
    }
    scanned += at;
  } while (watch.seconds() < seconds_);
  return static_cast<double>(scanned) / watch.seconds();
}

std::string ComparisonTable(const std::vector<Measurement>& first,
                            const std::vector<Measurement>& second) {
  const struct {
    std::string what;
    double Measurement::*field;
  } kRows[] = {
      {absl::StrCat("records loaded, durable batches of ", SideBySide::kBatchPackages),
       &Measurement::loaded},
      {"durable commits, 1 thread", &Measurement::commits_single},
      {absl::StrCat("durable commits, ", SideBySide::kThreads, " threads"),
       &Measurement::commits_threads},
      {"gets, random", &Measurement::gets},
      {"records scanned", &Measurement::scanned},
  };
  std::string table = absl::StrFormat("  %-40s%14s%16s%9s\n", "a second, median",
                                      first.at(0).contender, second.at(0).contender, "ratio");
  for (const auto& row : kRows) {
    const double a = Median(first, row.field);
    const double b = Median(second, row.field);
    absl::StrAppendFormat(&table, "  %-40s%14s%16s%8.1fx\n", row.what,
                          cli::WithCommas(static_cast<uint64_t>(a)),
                          cli::WithCommas(static_cast<uint64_t>(b)), b > 0 ? a / b : 0.0);
  }
  return table;
}

}  // namespace emdb::quickstart
