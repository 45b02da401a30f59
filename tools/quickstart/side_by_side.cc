#include "tools/quickstart/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
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

// One durable batch.
absl::Status WriteBatch(absl::Span<const Package> packages, bench::Session* session) {
  std::vector<bench::WriteOperation> operations;
  operations.reserve(packages.size());
  for (const Package& package : packages) operations.push_back({package.name, package.stanza});
  return session->Write(operations, bench::Durability::kSynced);
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

absl::StatusOr<Measurement> SideBySide::Measure(std::string_view name,
                                                bench::Engine* engine) const {
  Measurement measured;
  measured.engine = name;
  EMDB_ASSIGN_OR_RETURN(measured.loaded, MeasureLoad(engine));
  // Commits write the same records again, and would hide that one of them was lost.
  EMDB_RETURN_IF_ERROR(CheckScan(engine));
  EMDB_ASSIGN_OR_RETURN(measured.commits_single, MeasureCommits(engine, 1));
  EMDB_ASSIGN_OR_RETURN(measured.commits_threads, MeasureCommits(engine, kThreads));
  // So that reading starts from the same state.
  EMDB_RETURN_IF_ERROR(engine->Settle());
  EMDB_ASSIGN_OR_RETURN(measured.gets, MeasureGets(engine));
  EMDB_ASSIGN_OR_RETURN(measured.scanned, MeasureScan(engine));
  return measured;
}

absl::StatusOr<double> SideBySide::MeasureLoad(bench::Engine* engine) const {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<bench::Session> session, engine->NewSession());
  absl::Span<const Package> left = index_->packages();
  const Stopwatch watch;
  while (!left.empty()) {
    EMDB_RETURN_IF_ERROR(WriteBatch(left.subspan(0, kBatchPackages), session.get()));
    left.remove_prefix(std::min<size_t>(left.size(), kBatchPackages));
  }
  return static_cast<double>(index_->packages().size()) / watch.seconds();
}

// Writes records again that are there, so that what is stored stays the same.
absl::StatusOr<double> SideBySide::MeasureCommits(bench::Engine* engine, int threads) const {
  const std::vector<Package>& packages = index_->packages();
  std::vector<std::unique_ptr<bench::Session>> sessions(static_cast<size_t>(threads));
  for (auto& session : sessions) {
    EMDB_ASSIGN_OR_RETURN(session, engine->NewSession());
  }
  std::atomic<uint64_t> commits{0};
  std::vector<absl::Status> statuses(sessions.size());
  std::vector<std::thread> workers;
  workers.reserve(sessions.size());
  const Stopwatch watch;
  for (size_t t = 0; t < sessions.size(); ++t) {
    workers.emplace_back([&, t] {
      std::mt19937_64 random(t);
      absl::Status& status = statuses[t];
      do {
        const Package& package = packages[random() % packages.size()];
        status = sessions[t]->Put(package.name, package.stanza, bench::Durability::kSynced);
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

absl::StatusOr<double> SideBySide::MeasureGets(bench::Engine* engine) const {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<bench::Session> session, engine->NewSession());
  const std::vector<Package>& packages = index_->packages();
  std::mt19937_64 random(kThreads);
  std::string value;
  uint64_t gets = 0;
  const Stopwatch watch;
  do {
    // The clock is read once in so many gets.
    for (int i = 0; i < 64; ++i, ++gets) {
      const Package& package = packages[random() % packages.size()];
      EMDB_RETURN_IF_ERROR(session->Get(package.name, &value));
      if (value == package.stanza) continue;
      return absl::DataLossError(absl::StrCat("wrong bytes for ", ToAbsl(package.name)));
    }
  } while (watch.seconds() < seconds_);
  return static_cast<double>(gets) / watch.seconds();
}

absl::StatusOr<double> SideBySide::MeasureScan(bench::Engine* engine) const {
  uint64_t scanned = 0;
  const Stopwatch watch;
  do {
    EMDB_RETURN_IF_ERROR(CheckScan(engine));
    scanned += sorted_.size();
  } while (watch.seconds() < seconds_);
  return static_cast<double>(scanned) / watch.seconds();
}

absl::Status SideBySide::CheckScan(bench::Engine* engine) const {
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<bench::Session> session, engine->NewSession());
  const std::unique_ptr<bench::Cursor> cursor = session->NewCursor();
  size_t at = 0;
  bool right = true;
  for (cursor->SeekToFirst(); cursor->Valid() && right; cursor->Next(), ++at) {
    right = at < sorted_.size() && cursor->key() == sorted_[at].name &&
            cursor->value() == sorted_[at].stanza;
  }
  EMDB_RETURN_IF_ERROR(cursor->status());
  if (right && at == sorted_.size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("a scan gave wrong rows, or not all: at row ", at));
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
                                      first.at(0).engine, second.at(0).engine, "ratio");
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
