// quickstart: the work behind tools/quickstart.sh, which explains it.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "storage/status.h"
#include "tools/bench/engine.h"
#include "tools/bench/engine_emdb.h"
#include "tools/bench/engine_rocksdb.h"
#include "tools/cli/arguments.h"
#include "tools/cli/progress.h"
#include "tools/quickstart/kill_proof.h"
#include "tools/quickstart/package_index.h"
#include "tools/quickstart/side_by_side.h"
#include "tools/standard_streams.h"

namespace emdb::quickstart {
namespace {

using cli::Arguments;
using cli::ByteSize;
using cli::Option;
using cli::Syntax;
using cli::WithCommas;

constexpr int kKills = 3;
constexpr int kRounds = 3;
constexpr double kSecondsEach = 0.4;
constexpr uint64_t kCacheBytes = uint64_t{256} << 20;

absl::StatusOr<PackageIndex> ReadIndex(const std::string& path) {
  EMDB_ASSIGN_OR_RETURN(PackageIndex index, PackageIndex::Read(path));
  std::printf("  %s stanzas, %s different packages, %s\n", WithCommas(index.stanza_count()).c_str(),
              WithCommas(index.packages().size()).c_str(), ByteSize(index.size_bytes()).c_str());
  std::fflush(stdout);
  return index;
}

absl::Status RunKill(const Arguments& arguments) {
  EMDB_ASSIGN_OR_RETURN(const PackageIndex index, ReadIndex(arguments.positionals()[0]));
  const uint64_t seed =
      arguments.IsGiven("seed") ? arguments.Number("seed") : std::random_device()();
  std::printf("  the writer stores durable batches of %d; it is killed at random places, seed %s\n",
              static_cast<int>(KillProof::kBatchPackages), absl::StrCat(seed).c_str());
  // Nothing may be left in the buffer that a forked writer would print again.
  std::fflush(stdout);
  KillProof proof(&index, arguments.positionals()[1], seed);
  for (int kill = 1; kill <= kKills; ++kill) {
    EMDB_ASSIGN_OR_RETURN(const KillProof::Round round, proof.KillAndCheck());
    std::printf(
        "  kill %d: SIGKILL with %s acknowledged; reopened in %.0f ms (%s batches from the log); "
        "%s there, "
        "all equal to their source\n",
        kill, WithCommas(round.acknowledged).c_str(), round.open_seconds * 1e3,
        WithCommas(round.log_records_redone).c_str(), WithCommas(round.recovered).c_str());
    std::fflush(stdout);
  }
  EMDB_ASSIGN_OR_RETURN(const Stats stats, proof.Finish());
  std::printf("  the rest is stored; all %s packages are there, all equal to their source\n",
              WithCommas(index.packages().size()).c_str());
  const LatencyHistogram& commits = stats.commit_latency;
  std::printf(
      "  of the rest: %s durable batches, half within %.2f ms, 99%% within %.2f ms; %s syncs\n",
      WithCommas(commits.count).c_str(), static_cast<double>(commits.PercentileNanos(0.5)) * 1e-6,
      static_cast<double>(commits.PercentileNanos(0.99)) * 1e-6,
      WithCommas(stats.wal.syncs).c_str());
  return absl::OkStatus();
}

// In a new store in `directory`, which is removed. Writes are durable when they return; RocksDB is
// tuned as tools/bench tunes it.
absl::StatusOr<Measurement> MeasureIn(const std::string& directory, const SideBySide& side_by_side,
                                      const bench::EngineInfo& info) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError(error.value(), "mkdir", directory);
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<bench::Engine> engine,
                        info.open({.directory = directory, .cache_bytes = kCacheBytes}));
  EMDB_ASSIGN_OR_RETURN(Measurement measured, side_by_side.Measure(info.name, engine.get()));
  EMDB_RETURN_IF_ERROR(engine->Close());
  std::filesystem::remove_all(directory, error);
  if (error) return IoError(error.value(), "remove", directory);
  return measured;
}

absl::Status RunCompare(const Arguments& arguments) {
  EMDB_ASSIGN_OR_RETURN(const PackageIndex index, ReadIndex(arguments.positionals()[0]));
  const std::string& directory = arguments.positionals()[1];
  const SideBySide side_by_side(&index, kSecondsEach);
  const bench::EngineInfo engines[] = {bench::EmdbInfo(), bench::RocksDbTunedInfo()};
  std::vector<Measurement> rounds[2];
  for (int round = 0; round < kRounds; ++round) {
    std::printf("  round %d of %d\n", round + 1, kRounds);
    std::fflush(stdout);
    // Who goes first changes, so that what the first one leaves behind evens out.
    for (const int turn : {round % 2, 1 - round % 2}) {
      const bench::EngineInfo& info = engines[turn];
      EMDB_ASSIGN_OR_RETURN(rounds[turn].emplace_back(),
                            MeasureIn(absl::StrCat(directory, "/", info.name), side_by_side, info));
    }
  }
  std::printf("\n%s\n  %s is version %s\n", ComparisonTable(rounds[0], rounds[1]).c_str(),
              engines[1].name.c_str(), engines[1].version.c_str());
  return absl::OkStatus();
}

struct Step {
  Syntax syntax;
  absl::Status (*run)(const Arguments& arguments);
};

std::vector<Step> Steps() {
  const cli::Positional index = {.name = "INDEX", .help = "what `apt-cache dumpavail` printed"};
  return {
      {.syntax = {.name = "kill",
                  .summary = "Load a new store, killing the writer, and check what is acknowledged",
                  .positionals = {index, {.name = "STORE", .help = "a file that is not there"}},
                  .options = {{.name = "seed",
                               .kind = Option::Kind::kNumber,
                               .value_name = "N",
                               .help = "of the places where the writer is killed"}}},
       .run = RunKill},
      {.syntax = {.name = "compare",
                  .summary = "Measure emdb and RocksDB on the same records",
                  .positionals = {index, {.name = "DIRECTORY", .help = "where stores are made"}}},
       .run = RunCompare}};
}

absl::Status Run(absl::Span<const std::string> words) {
  const std::vector<Step> steps = Steps();
  for (const Step& step : steps) {
    if (words.empty() || words[0] != step.syntax.name) continue;
    EMDB_ASSIGN_OR_RETURN(const Arguments arguments,
                          Arguments::Parse(step.syntax, words.subspan(1)));
    if (!arguments.help()) return step.run(arguments);
    std::fputs(HelpText("quickstart", step.syntax).c_str(), stdout);
    return absl::OkStatus();
  }
  std::string usage = "expected one of";
  for (const Step& step : steps) {
    absl::StrAppend(&usage, "\n  ", UsageLine("quickstart", step.syntax), ": ",
                    step.syntax.summary);
  }
  return absl::InvalidArgumentError(usage);
}

}  // namespace
}  // namespace emdb::quickstart

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  absl::Status status = emdb::OccupyStandardStreams();
  if (status.ok()) status = emdb::quickstart::Run(words);
  if (status.ok()) return 0;
  std::fprintf(stderr, "quickstart: %s\n", status.ToString().c_str());
  return 1;
}
