// Group commit: durable single writes by more and more threads.

#include <array>

#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "storage/status.h"
#include "tools/bench/test_bed.h"
#include "tools/bench/workloads.h"

namespace emdb::bench {
namespace {

constexpr std::array kThreads = {1, 2, 4, 8, 16, 32, 64};
constexpr std::array kInFlight = {64, 1024};
constexpr uint64_t kRecordsPerRun = 256 * 1024;

// What may be under way of one thread's asynchronous writes, and the first that went wrong.
class InFlight {
 public:
  explicit InFlight(int limit) : limit_(limit) {}

  // Waits until another one may start.
  absl::Status Begin() {
    const MutexLock lock(&mutex_);
    while (count_ == limit_) changed_.Wait(&mutex_);
    ++count_;
    return status_;
  }
  void End(const absl::Status& status) {
    const MutexLock lock(&mutex_);
    // The waiter goes on when half of them are over, not at each: that is what a server would do.
    if (--count_ <= limit_ / 2) changed_.Signal();
    status_.Update(status);
  }
  // Waits until none is under way.
  absl::Status Finish() {
    const MutexLock lock(&mutex_);
    while (count_ > 0) changed_.Wait(&mutex_);
    return status_;
  }

 private:
  const int limit_;
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// One thread that keeps many durable writes under way, where the engine can.
absl::Status RunAsync(const Sizing& sizing, StageContext* context, TestBed* bed) {
  for (const int limit : kInFlight) {
    InFlight in_flight(limit);
    const PhaseOptions options{.name = absl::StrCat("1 thread, ", limit, " under way"),
                               .max_seconds = sizing.phase_seconds};
    const absl::StatusOr<Measurement> measurement =
        bed->Measure(options, [&in_flight](CheckedSession* session, Worker* worker) {
          const absl::Status status = in_flight.Begin();
          // More records than can be under way, so that none is written twice at a time.
          const uint64_t id = (worker->operations() - 1) % kRecordsPerRun;
          session->PutAsync(id, [&in_flight](const absl::Status& s) { in_flight.End(s); });
          return status;
        });
    // Those under way refer to what is about to end.
    EMDB_RETURN_IF_ERROR(in_flight.Finish());
    EMDB_RETURN_IF_ERROR(context->Emit(measurement));
  }
  return absl::OkStatus();
}

absl::Status RunMain(const Sizing& sizing, StageContext* context) {
  EMDB_ASSIGN_OR_RETURN(
      const std::unique_ptr<TestBed> bed,
      TestBed::Open(context, {.dataset = {.key_order = KeyOrder::kRandom,
                                          .key_bytes = 16,
                                          .value_bytes = 100,
                                          .capacity = kThreads.size() * kRecordsPerRun},
                              .engine = {},
                              .subdirectory = ""}));
  for (size_t run = 0; run < kThreads.size(); ++run) {
    const int threads = kThreads[run];
    const uint64_t per_thread = kRecordsPerRun / threads;
    const PhaseOptions options{.name = absl::StrCat(threads, threads == 1 ? " thread" : " threads"),
                               .threads = threads,
                               .max_seconds = sizing.phase_seconds};
    EMDB_RETURN_IF_ERROR(
        bed->RunDurable(options, [run, per_thread](CheckedSession* session, Worker* worker) {
          // Each thread has records of its own; when it has written all, it begins again.
          const uint64_t id = run * kRecordsPerRun + worker->thread() * per_thread +
                              (worker->operations() - 1) % per_thread;
          return session->Put(id, Durability::kSynced);
        }));
  }
  if (context->engine().has_async_writes) {
    EMDB_RETURN_IF_ERROR(RunAsync(sizing, context, bed.get()));
  }
  EMDB_RETURN_IF_ERROR(bed->VerifyAll());
  return bed->Close();
}

}  // namespace

Workload CommitWorkload(const Sizing& sizing) {
  const auto run_main = [sizing](StageContext* context) { return RunMain(sizing, context); };
  return {.name = "commit",
          .summary =
              "durable single writes of 100 bytes by 1 to 64 threads: rate, latency, syncs a "
              "commit",
          .stages = {{.name = "main", .run = run_main}},
          .memory_limit_bytes = 0};
}

}  // namespace emdb::bench
