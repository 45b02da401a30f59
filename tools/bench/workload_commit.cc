// Group commit: durable single writes by more and more threads, and by one beside a load that keeps
// the engine merging; and, of engines that can, many writes kept under way by one thread, and the
// same threads on the log alone.

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "storage/status.h"
#include "tools/bench/disk_probe.h"
#include "tools/bench/histogram.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array kThreads = {1, 2, 4, 8, 16, 32, 64};
constexpr uint64_t kRecordsPerRun = 256 * 1024;

struct AsyncRun {
  const char* phase;
  int limit;  // of writes under way
};
constexpr std::array kAsyncRuns = {AsyncRun{"1 thread, 64 writes under way", 64},
                                   AsyncRun{"1 thread, 1,024 writes under way", 1024}};

DatasetOptions Records() {
  return {.key_order = KeyOrder::kRandom,
          .key_bytes = 16,
          .value_bytes = 100,
          .capacity = kThreads.size() * kRecordsPerRun};
}

std::string Threads(int threads) {
  return absl::StrCat(threads, threads == 1 ? " thread" : " threads");
}

// Each thread has records of its own; when it has written all, it begins again.
uint64_t NextId(size_t run, const Worker& worker) {
  const uint64_t per_thread = kRecordsPerRun / kThreads[run];
  return run * kRecordsPerRun + worker.thread() * per_thread +
         (worker.operations() - 1) % per_thread;
}

// What may be under way of one thread's asynchronous writes, how long they took, and the first that
// went wrong.
class UnderWay {
 public:
  explicit UnderWay(int limit) : limit_(limit) {}

  // Waits until another one may start.
  absl::Status Begin() {
    const MutexLock lock(&mutex_);
    while (count_ == limit_) changed_.Wait(&mutex_);
    ++count_;
    return status_;
  }
  // `start` is zero where the write was not timed.
  void End(const absl::Status& status, Clock::time_point start) {
    const MutexLock lock(&mutex_);
    if (start != Clock::time_point{})
      latency_.Record(
          std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
    // The waiter goes on when half of them are over, not at each: that is what a server would do.
    if (--count_ <= limit_ / 2) changed_.Signal();
    status_.Update(status);
  }
  // Waits until none is under way.
  absl::StatusOr<LatencySummary> Finish() {
    const MutexLock lock(&mutex_);
    while (count_ > 0) changed_.Wait(&mutex_);
    EMDB_RETURN_IF_ERROR(status_);
    return latency_.Summarize();
  }

 private:
  const int limit_;
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// One thread that keeps durable writes under way. Latencies are those from the call to the
// acknowledgement.
absl::Status RunAsync(const AsyncRun& run, const Sizing& sizing, StageContext* context,
                      TestBed* bed) {
  UnderWay under_way(run.limit);
  const PhaseOptions options{.name = run.phase, .max_seconds = sizing.phase_seconds};
  const auto write = [&under_way, &options](CheckedSession* session, Worker* worker) {
    absl::Status status = under_way.Begin();
    const bool is_timed = worker->operations() % options.latency_interval == 0;
    const Clock::time_point start = is_timed ? Clock::now() : Clock::time_point{};
    // More records than can be under way, so that none is written twice at a time.
    const uint64_t id = (worker->operations() - 1) % kRecordsPerRun;
    session->PutAsync(id, [&under_way, start](const absl::Status& s) { under_way.End(s, start); });
    return status;
  };
  absl::StatusOr<Measurement> measurement = bed->MeasureDurable(options, write);
  // Those under way refer to what is about to end.
  EMDB_ASSIGN_OR_RETURN(const LatencySummary latency, under_way.Finish());
  if (measurement.ok()) measurement->latency = latency;
  return context->Emit(std::move(measurement));
}

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(
      const std::unique_ptr<TestBed> bed,
      TestBed::Open(context, {.dataset = Records(), .engine = {}, .subdirectory = ""}));
  for (size_t run = 0; run < kThreads.size(); ++run) {
    const PhaseOptions options{.name = Threads(kThreads[run]),
                               .threads = kThreads[run],
                               .max_seconds = sizing.phase_seconds};
    EMDB_RETURN_IF_ERROR(bed->RunDurable(options, [run](CheckedSession* session, Worker* worker) {
      return session->Put(NextId(run, *worker), Durability::kSynced);
    }));
  }
  if (context->engine().has_async_writes) {
    for (const AsyncRun& run : kAsyncRuns) {
      EMDB_RETURN_IF_ERROR(RunAsync(run, sizing, context, bed.get()));
    }
  }
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

// Writes by a thread of its own, until it is stopped: so many a second that write buffers of
// kBusyBuffer are filled, and what they hold merged, three times a second. None of them is durable.
class BackgroundWrites {
 public:
  static constexpr uint64_t kPerSecond = 25'000;

  // Writes the records [begin, end) again and again.
  BackgroundWrites(std::unique_ptr<CheckedSession> session, uint64_t begin, uint64_t end)
      : session_(std::move(session)), thread_([this, begin, end] { Write(begin, end); }) {}
  ~BackgroundWrites() {
    if (thread_.joinable()) Stop().IgnoreError();
  }

  // Ends the thread; the first error it met.
  absl::Status Stop() {
    is_stopped_.store(true, std::memory_order_relaxed);
    thread_.join();
    return status_;
  }

 private:
  void Write(uint64_t begin, uint64_t end) {
    constexpr std::chrono::milliseconds kStep{1};
    uint64_t id = begin;
    while (!is_stopped_.load(std::memory_order_relaxed) && status_.ok()) {
      // Writes that come late are not made up for.
      const Clock::time_point next = Clock::now() + kStep;
      for (uint64_t i = 0; i < kPerSecond / 1000 && status_.ok(); ++i) {
        status_ = session_->Put(id, Durability::kUnsynced);
        if (++id == end) id = begin;
      }
      std::this_thread::sleep_until(next);
    }
  }

  const std::unique_ptr<CheckedSession> session_;
  std::atomic<bool> is_stopped_ = false;
  absl::Status status_;  // the thread's until it is joined
  std::thread thread_;
};

// What a commit waits for when flushing, merging and checkpoints use the same disk: the same
// durable writes without and with a load beside them.
absl::Status RunBusy(const Sizing& sizing, StageContext* context) {
  constexpr uint64_t kBusyBuffer = uint64_t{8} << 20;
  const uint64_t records = sizing.Scaled(64 * 1024);
  TestBedOptions bed_options;
  bed_options.dataset = {.key_order = KeyOrder::kRandom,
                         .key_bytes = 16,
                         .value_bytes = 1000,
                         .capacity = 2 * records};
  bed_options.engine.write_buffer_bytes = kBusyBuffer;
  bed_options.subdirectory = "busy";
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Open(context, bed_options));
  EMDB_RETURN_IF_ERROR(bed->LoadQuietly(0, 2 * records));
  EMDB_RETURN_IF_ERROR(bed->engine().Settle());
  // The commits' records are the first half, the load's the second.
  const auto commit = [records](CheckedSession* session, Worker* worker) {
    return session->Put(worker->random()->Below(records), Durability::kSynced);
  };
  EMDB_RETURN_IF_ERROR(bed->RunDurable(
      {.name = "1 thread, 1,000 bytes", .max_seconds = sizing.phase_seconds}, commit));
  EMDB_ASSIGN_OR_RETURN(std::unique_ptr<CheckedSession> session, bed->NewSession());
  BackgroundWrites background(std::move(session), records, 2 * records);
  EMDB_RETURN_IF_ERROR(bed->RunDurable({.name = "1 thread, 1,000 bytes, beside 25,000 unsynced/s",
                                        .max_seconds = sizing.phase_seconds},
                                       commit));
  EMDB_RETURN_IF_ERROR(background.Stop());
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

// A record of the log is a key and its value, as a commit would hold them.
absl::Status AppendAll(size_t run, const Dataset& dataset, CommitLog* log, Worker* worker) {
  std::string record;
  std::string value;
  while (worker->Next()) {
    const uint64_t id = NextId(run, *worker);
    dataset.Key(id, &record);
    record += dataset.Value(id, 1, &value);
    EMDB_RETURN_IF_ERROR(log->Append(record));
  }
  return absl::OkStatus();
}

// All that was appended must be there, byte for byte.
absl::Status VerifyLog(const Dataset& dataset, uint64_t appended, CommitLog* log) {
  const size_t key_bytes = Records().key_bytes;
  uint64_t found = 0;
  EMDB_RETURN_IF_ERROR(log->Replay([&](std::string_view record) -> absl::Status {
    ++found;
    const std::optional<uint64_t> id = dataset.FindId(record.substr(0, key_bytes));
    if (!id.has_value()) return absl::DataLossError("the log holds what was never appended");
    return dataset.CheckValue(*id, 1, record.substr(key_bytes));
  }));
  if (found == appended) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the log holds ", found, " records, expected ", appended));
}

// What commits cost without a database on top.
absl::Status RunLog(const Sizing& sizing, StageContext* context) {
  if (context->engine().open_log == nullptr) return absl::OkStatus();
  const Dataset dataset(Records());
  const std::string& directory = context->directory();
  EMDB_ASSIGN_OR_RETURN(const std::unique_ptr<CommitLog> log,
                        context->engine().open_log(directory));
  uint64_t appended = 0;
  for (size_t run = 0; run < kThreads.size(); ++run) {
    const PhaseOptions options{.name = absl::StrCat("the log alone, ", Threads(kThreads[run])),
                               .threads = kThreads[run],
                               .max_seconds = sizing.phase_seconds,
                               .latency_interval = 1};
    EMDB_ASSIGN_OR_RETURN(const LatencySummary probe, ProbeDisk(directory, kProbeWrites));
    EMDB_ASSIGN_OR_RETURN(Measurement measurement,
                          RunPhase(options, context->progress(), [&, run](Worker* worker) {
                            return AppendAll(run, dataset, log.get(), worker);
                          }));
    measurement.probe_p50_ns = probe.p50_ns;
    appended += measurement.operations;
    EMDB_RETURN_IF_ERROR(context->Emit(std::move(measurement)));
  }
  return VerifyLog(dataset, appended, log.get());
}

}  // namespace

Workload CommitWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  const auto run_busy = [sizing](StageContext* context) { return RunBusy(sizing, context); };
  const auto run_log = [sizing](StageContext* context) { return RunLog(sizing, context); };
  return {
      .name = "commit",
      .summary =
          "durable writes of 100 bytes by 1 to 64 threads, of 1,000 bytes by one, alone and beside "
          "a load; of emdb also 64 and 1,024 kept under way by one thread (no peer can), and its "
          "log alone",
      .stages = {{.name = "main", .run = run_main},
                 {.name = "busy", .run = run_busy},
                 {.name = "log", .run = run_log}},
      .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
