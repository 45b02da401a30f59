// bench: emdb beside its peers. See --help and report.sh.

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/status.h"
#include "tools/bench/engines.h"
#include "tools/bench/machine.h"
#include "tools/bench/profile.h"
#include "tools/bench/progress_view.h"
#include "tools/bench/report.h"
#include "tools/bench/results.h"
#include "tools/bench/runner.h"
#include "tools/bench/workloads.h"
#include "tools/standard_streams.h"

ABSL_FLAG(std::string, profile, "smoke", "which profile to run");
ABSL_FLAG(std::vector<std::string>, workloads, {}, "only these; with --profile=full any of them");
ABSL_FLAG(std::vector<std::string>, engines, {}, "only these");
ABSL_FLAG(double, scale, 0, "instead of the profile's: factor for the numbers of records");
ABSL_FLAG(double, seconds, 0, "instead of the profile's: length of phases limited by time");
ABSL_FLAG(int, repetitions, 0, "instead of the profile's");
ABSL_FLAG(double, budget_minutes, -1, "instead of the profile's; 0: no limit");
ABSL_FLAG(std::string, directory, "/var/tmp",
          "where the stores are made and removed: on the disk that is to be measured");
ABSL_FLAG(std::string, out, "", "where results.jsonl, report.md, report.html, summary.svg go");
ABSL_FLAG(std::string, from, "",
          "run nothing: make the reports of this results.jsonl again, into --out");

namespace emdb::bench {
namespace {

constexpr int kExitFailures = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

std::string Usage() {
  std::string text =
      "emdb beside its peers: the same work, the same durability, every value that is read checked "
      "while it is timed.\n\n"
      "  bazel run --config=opt //tools/bench -- --profile=standard --out=/tmp/results\n"
      "  bazel run --config=opt //tools/bench -- --profile=full --workloads=commit "
      "--engines=emdb,rocksdb\n\nProfiles:\n";
  for (const Profile& profile : AllProfiles()) {
    absl::StrAppendFormat(&text, "  %-16s %s\n", profile.name, profile.summary);
  }
  text += "\nWorkloads:\n";
  for (const Workload& workload : AllWorkloads({})) {
    absl::StrAppendFormat(&text, "  %-16s %s\n", workload.name, workload.summary);
  }
  text += "\nEngines:\n";
  for (const EngineInfo& engine : AllEngines()) {
    absl::StrAppendFormat(&text, "  %-16s %s: %s\n", engine.name, engine.version, engine.setup);
  }
  return text;
}

bool IsWanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// The names that are not among `known`.
absl::Status CheckNames(const char* what, const std::vector<std::string>& names,
                        const std::vector<std::string>& known) {
  for (const std::string& name : names) {
    if (IsWanted(known, name)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("unknown ", what, " \"", name, "\"; there are: ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<Profile> FindProfile(const std::string& name) {
  std::vector<std::string> known;
  for (Profile& profile : AllProfiles()) {
    if (profile.name == name) return std::move(profile);
    known.push_back(profile.name);
  }
  return CheckNames("profile", {name}, known);
}

Sizing WithFlags(Sizing sizing) {
  if (absl::GetFlag(FLAGS_scale) > 0) sizing.scale = absl::GetFlag(FLAGS_scale);
  if (absl::GetFlag(FLAGS_seconds) > 0) sizing.phase_seconds = absl::GetFlag(FLAGS_seconds);
  return sizing;
}

absl::StatusOr<std::vector<PlannedWorkload>> ChooseWorkloads(const Profile& profile) {
  const std::vector<std::string> wanted = absl::GetFlag(FLAGS_workloads);
  std::vector<std::string> known;
  std::vector<PlannedWorkload> planned;
  for (const ProfileEntry& entry : profile.entries) {
    known.push_back(entry.workload);
    if (!IsWanted(wanted, entry.workload)) continue;
    for (Workload& workload : AllWorkloads(WithFlags(entry.sizing))) {
      if (workload.name != entry.workload) continue;
      const int repetitions = absl::GetFlag(FLAGS_repetitions);
      planned.push_back({std::move(workload), repetitions > 0 ? repetitions : entry.repetitions});
    }
  }
  EMDB_RETURN_IF_ERROR(
      CheckNames(absl::StrCat("workload of profile ", profile.name).c_str(), wanted, known));
  return planned;
}

absl::StatusOr<std::vector<EngineInfo>> ChooseEngines(const Profile& profile) {
  const std::vector<std::string> flag = absl::GetFlag(FLAGS_engines);
  const std::vector<std::string>& wanted = flag.empty() ? profile.engines : flag;
  std::vector<std::string> known;
  std::vector<EngineInfo> chosen;
  for (EngineInfo& engine : AllEngines()) {
    known.push_back(engine.name);
    if (IsWanted(wanted, engine.name)) chosen.push_back(std::move(engine));
  }
  EMDB_RETURN_IF_ERROR(CheckNames("engine", wanted, known));
  return chosen;
}

RunDescription Describe(const Plan& plan, const Profile& profile, const std::string& command) {
  RunDescription run;
  run.date = absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::Now(), absl::UTCTimeZone());
  run.command = command;
  run.profile = profile.name;
  run.machine = DescribeMachine(plan.directory);
  if (plan.warm_bytes > 0) {
    run.machine.emplace_back("memory touched before each stage",
                             absl::StrCat(plan.warm_bytes >> 20, " MiB"));
  }
  for (const EngineInfo& engine : plan.engines) {
    run.engines.push_back({engine.name, engine.version, engine.setup, engine.durability});
  }
  for (const PlannedWorkload& planned : plan.workloads) {
    run.workloads.emplace_back(planned.workload.name, planned.workload.summary);
  }
  return run;
}

// From now on ^C and SIGTERM make the descriptor readable, and children do not see them.
absl::StatusOr<int> CatchSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return IoError(errno, "sigprocmask", "^C");
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (fd < 0) return IoError(errno, "signalfd", "^C");
  return fd;
}

absl::StatusOr<Results> RunPlan(const Plan& plan, RunDescription run) {
  const std::string out = absl::GetFlag(FLAGS_out);
  Results results;
  results.run = std::move(run);
  ProgressView view(stderr);
  const RunnerObserver observer{
      .on_progress = [&view](const RunnerObserver::Job& job, const std::string& phase,
                             double fraction) { view.ShowProgress(job, phase, fraction); },
      // The reports are whole after each job, whatever becomes of the next one.
      .on_finished =
          [&view, &out](const RunnerObserver::Job& job, const Results& so_far) {
            view.ShowFinished(job, so_far);
            return out.empty() ? absl::OkStatus() : WriteReports(so_far, out);
          }};
  EMDB_RETURN_IF_ERROR(Runner(&plan, &observer, &results).Run());
  if (!out.empty()) EMDB_RETURN_IF_ERROR(WriteReports(results, out));
  return results;
}

absl::StatusOr<int> RunProfile(const std::string& command) {
  EMDB_ASSIGN_OR_RETURN(const Profile profile, FindProfile(absl::GetFlag(FLAGS_profile)));
  Plan plan;
  EMDB_ASSIGN_OR_RETURN(plan.workloads, ChooseWorkloads(profile));
  EMDB_ASSIGN_OR_RETURN(plan.engines, ChooseEngines(profile));
  plan.directory = absl::StrCat(absl::GetFlag(FLAGS_directory), "/emdb-bench-", getpid());
  const double minutes = absl::GetFlag(FLAGS_budget_minutes);
  plan.stage_timeout_seconds = profile.stage_timeout_seconds;
  plan.warm_bytes = profile.warm_bytes;
  plan.budget_seconds = minutes < 0 ? profile.budget_seconds : minutes * 60;
  std::error_code error;
  std::filesystem::create_directories(plan.directory, error);
  if (error) return IoError(error.value(), "mkdir", plan.directory);
  RunDescription run = Describe(plan, profile, command);
  EMDB_ASSIGN_OR_RETURN(plan.stop_fd, CatchSignals());
  const absl::StatusOr<Results> results = RunPlan(plan, std::move(run));
  std::filesystem::remove_all(plan.directory, error);
  EMDB_RETURN_IF_ERROR(results.status());

  std::cout << MarkdownReport(*results);
  if (!results->is_complete) return kExitInterrupted;
  const bool has_failed = std::any_of(results->failures.begin(), results->failures.end(),
                                      [](const Failure& failure) { return !failure.is_skip; });
  return has_failed ? kExitFailures : 0;
}

absl::StatusOr<int> RenderAgain(const std::string& from) {
  const std::string out = absl::GetFlag(FLAGS_out);
  if (out.empty()) return absl::InvalidArgumentError("--from needs --out");
  EMDB_ASSIGN_OR_RETURN(const std::string text, ReadFile(from));
  EMDB_ASSIGN_OR_RETURN(const Results results, Results::FromJsonLines(text));
  EMDB_RETURN_IF_ERROR(WriteReports(results, out));
  return 0;
}

}  // namespace
}  // namespace emdb::bench

int main(int argc, char** argv) {
  if (const absl::Status status = emdb::OccupyStandardStreams(); !status.ok()) {
    std::cerr << "bench: " << status << "\n";
    return emdb::bench::kExitFailures;
  }
  std::string command = "bazel run --config=opt //tools/bench --";
  for (int i = 1; i < argc; ++i) {
    // Where the results go is no part of how to come by them.
    if (!absl::StartsWith(argv[i], "--out=")) absl::StrAppend(&command, " ", argv[i]);
  }
  absl::SetProgramUsageMessage(emdb::bench::Usage());
  absl::FlagsUsageConfig usage_config;
  usage_config.contains_help_flags = [](absl::string_view file) {
    return file.find("tools/bench/") != absl::string_view::npos;
  };
  absl::SetFlagsUsageConfig(usage_config);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    std::cerr << "bench: unexpected argument \"" << rest[1] << "\"; see --help\n";
    return emdb::bench::kExitUsage;
  }
  const std::string from = absl::GetFlag(FLAGS_from);
  const absl::StatusOr<int> exit_code =
      from.empty() ? emdb::bench::RunProfile(command) : emdb::bench::RenderAgain(from);
  if (exit_code.ok()) return *exit_code;
  std::cerr << "bench: " << exit_code.status().ToString() << "\n";
  return absl::IsInvalidArgument(exit_code.status()) ? emdb::bench::kExitUsage
                                                     : emdb::bench::kExitFailures;
}
