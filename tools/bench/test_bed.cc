#include "tools/bench/test_bed.h"

#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/status.h"
#include "tools/bench/disk_probe.h"
#include "tools/bench/process_usage.h"

namespace emdb::bench {

TestBed::TestBed(StageContext* context, const TestBedOptions& options)
    : context_(context),
      directory_(options.subdirectory.empty()
                     ? context->directory()
                     : absl::StrCat(context->directory(), "/", options.subdirectory)),
      dataset_(options.dataset) {}

absl::StatusOr<std::unique_ptr<TestBed>> TestBed::Open(StageContext* context,
                                                       const TestBedOptions& options) {
  std::unique_ptr<TestBed> bed(new TestBed(context, options));
  std::error_code error;
  std::filesystem::create_directories(bed->directory_, error);
  if (error) return IoError(error.value(), "mkdir", bed->directory_);
  EngineOptions engine_options = options.engine;
  engine_options.directory = bed->directory_;
  EMDB_ASSIGN_OR_RETURN(bed->engine_, context->engine().open(engine_options));
  return bed;
}

absl::StatusOr<std::unique_ptr<CheckedSession>> TestBed::NewSession() {
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, engine_->NewSession());
  return std::make_unique<CheckedSession>(std::move(session), &dataset_);
}

absl::StatusOr<Measurement> TestBed::Measure(const PhaseOptions& options, Operation operation) {
  std::vector<std::unique_ptr<CheckedSession>> sessions;
  for (int i = 0; i < options.threads; ++i) {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<CheckedSession> session, NewSession());
    sessions.push_back(std::move(session));
  }
  return RunPhase(options, context_->progress(), [&sessions, operation](Worker* worker) {
    CheckedSession* const session = sessions[worker->thread()].get();
    while (worker->Next()) EMDB_RETURN_IF_ERROR(operation(session, worker));
    return absl::OkStatus();
  });
}

absl::Status TestBed::Run(const PhaseOptions& options, Operation operation) {
  return context_->Emit(Measure(options, operation));
}

absl::StatusOr<Measurement> TestBed::MeasureDurable(const PhaseOptions& options,
                                                    Operation operation) {
  EMDB_ASSIGN_OR_RETURN(const LatencySummary probe, ProbeDisk(directory_, kProbeWrites));
  EMDB_ASSIGN_OR_RETURN(Measurement measurement, Measure(options, operation));
  measurement.probe_p50_ns = probe.p50_ns;
  return measurement;
}

absl::Status TestBed::RunDurable(const PhaseOptions& options, Operation operation) {
  PhaseOptions timed = options;
  // Each of them: a sync is long beside a look at the clock.
  timed.latency_interval = 1;
  return context_->Emit(MeasureDurable(timed, operation));
}

absl::Status TestBed::RunAndSettle(const PhaseOptions& options, Operation operation) {
  EMDB_ASSIGN_OR_RETURN(Measurement work, Measure(options, operation));
  return SendAndSettle(std::move(work));
}

absl::Status TestBed::RunThenFlush(const PhaseOptions& options, Operation operation) {
  EMDB_ASSIGN_OR_RETURN(Measurement measurement, Measure(options, operation));
  EMDB_ASSIGN_OR_RETURN(const Measurement flush, TimeCall(options.name, context_->progress(),
                                                          [this] { return engine_->Flush(); }));
  measurement.Extend(flush);
  return context_->Emit(std::move(measurement));
}

absl::Status TestBed::LoadQuietly(uint64_t begin, uint64_t end) {
  std::string key_buffer;
  std::string value_buffer;
  uint64_t id = begin;
  const auto next = [&](std::string_view* key, std::string_view* value) {
    if (id == end) return false;
    *key = dataset_.Key(id, &key_buffer);
    *value = dataset_.Value(id, 1, &value_buffer);
    ++id;
    if (id % 1024 == 0) {
      context_->progress()->SetFraction(static_cast<double>(id - begin) /
                                        static_cast<double>(end - begin));
    }
    return true;
  };
  EMDB_RETURN_IF_ERROR(engine_->Load(next));
  for (id = begin; id < end; ++id) dataset_.set_version(id, 1);
  return absl::OkStatus();
}

absl::StatusOr<Measurement> TestBed::MeasureLoad(std::string_view phase, uint64_t begin,
                                                 uint64_t end) {
  EMDB_ASSIGN_OR_RETURN(Measurement measurement, TimeCall(phase, context_->progress(),
                                                          [&] { return LoadQuietly(begin, end); }));
  measurement.unit = Unit::kPerSecond;
  measurement.operations = end - begin;
  measurement.value = static_cast<double>(measurement.operations) / measurement.seconds;
  return measurement;
}

absl::Status TestBed::Load(std::string_view phase, uint64_t begin, uint64_t end) {
  return context_->Emit(MeasureLoad(phase, begin, end));
}

absl::Status TestBed::LoadAndSettle(std::string_view phase, uint64_t begin, uint64_t end) {
  EMDB_ASSIGN_OR_RETURN(Measurement load, MeasureLoad(phase, begin, end));
  return SendAndSettle(std::move(load));
}

absl::Status TestBed::SendAndSettle(Measurement work) {
  EMDB_RETURN_IF_ERROR(context_->Emit(work));
  work.phase += ", settled";
  EMDB_ASSIGN_OR_RETURN(const Measurement settling, TimeCall(work.phase, context_->progress(),
                                                             [this] { return engine_->Settle(); }));
  work.Extend(settling);
  work.latency = {};
  return context_->Emit(std::move(work));
}

absl::Status TestBed::ScanAll(std::string_view phase, bool forward) {
  uint64_t rows = 0;
  const PhaseOptions options{.name = std::string(phase), .max_operations = 1};
  EMDB_ASSIGN_OR_RETURN(
      Measurement measurement,
      Measure(options, [&rows, forward](CheckedSession* session, Worker* worker) -> absl::Status {
        EMDB_ASSIGN_OR_RETURN(rows, session->ScanAll(forward));
        worker->CountRows(rows);
        return absl::OkStatus();
      }));
  // One scan is no distribution.
  measurement.latency = {};
  const uint64_t live = dataset_.CountLive();
  if (rows != live) {
    return absl::DataLossError(absl::StrCat(ToAbsl(phase), ": ", rows, " rows, expected ", live));
  }
  return context_->Emit(std::move(measurement));
}

absl::Status TestBed::Count(std::string_view phase) {
  return SendTimed(phase, [this]() -> absl::Status {
    EMDB_ASSIGN_OR_RETURN(const uint64_t records, engine_->Count());
    const uint64_t live = dataset_.CountLive();
    if (records == live) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("counted ", records, " records, expected ", live));
  });
}

absl::Status TestBed::MultiGets(double seconds, uint64_t records) {
  return Run({.name = "multiget of 32, keys", .max_seconds = seconds},
             [records](CheckedSession* session, Worker* worker) {
               uint64_t ids[32];
               for (uint64_t& id : ids) id = worker->random()->Below(records);
               worker->CountRows(std::size(ids));
               return session->MultiGet(ids);
             });
}

absl::Status TestBed::SeekAndRead(const PhaseOptions& options, int rows,
                                  CheckedSession::CursorUse use) {
  const std::vector<uint32_t> live = dataset_.LiveIdsInKeyOrder();
  struct Seeker {
    SeekLog log;
    uint64_t next = 0;  // position in `live`: drawn an operation ahead, so that nobody waits for it
  };
  std::vector<Seeker> seekers(options.threads);
  EMDB_ASSIGN_OR_RETURN(
      Measurement measurement,
      Measure(options, [&](CheckedSession* session, Worker* worker) -> absl::Status {
        Seeker& seeker = seekers[worker->thread()];
        const uint64_t target = live[seeker.next];
        seeker.next = worker->random()->Below(live.size());
        __builtin_prefetch(&live[seeker.next]);
        return session->SeekAndRead(target, rows, use, &seeker.log);
      }));
  for (const Seeker& seeker : seekers) EMDB_RETURN_IF_ERROR(seeker.log.Verify(dataset_, live));
  return context_->Emit(std::move(measurement));
}

absl::Status TestBed::SendTimed(std::string_view phase, absl::FunctionRef<absl::Status()> call) {
  return context_->Emit(TimeCall(phase, context_->progress(), call));
}

absl::Status TestBed::Settle(std::string_view phase) {
  return SendTimed(phase, [this] { return engine_->Settle(); });
}

absl::Status TestBed::Compact(std::string_view phase) {
  return SendTimed(phase, [this] { return engine_->Compact(); });
}

absl::Status TestBed::DiskUsage(std::string_view phase) {
  EMDB_ASSIGN_OR_RETURN(const uint64_t bytes, DiskUsageBytes(directory_));
  return context_->EmitValue(phase, Unit::kBytes, static_cast<double>(bytes));
}

absl::Status TestBed::Close() { return engine_->Close(); }

absl::Status TestBed::VerifyAll() {
  context_->progress()->BeginPhase("verifying");
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<CheckedSession> session, NewSession());
  EMDB_ASSIGN_OR_RETURN(const uint64_t rows, session->ScanAll(/*forward=*/true));
  const uint64_t live = dataset_.CountLive();
  if (rows == live) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("at the end ", rows, " records are there, expected ", live));
}

}  // namespace emdb::bench
