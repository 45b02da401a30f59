#include "tools/bench/phase.h"

#include <algorithm>
#include <deque>
#include <latch>
#include <limits>
#include <string_view>
#include <thread>

#include "storage/status.h"
#include "tools/bench/process_usage.h"

namespace emdb::bench {
namespace {

double SecondsBetween(Worker::Clock::time_point from, Worker::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

uint64_t OperationLimit(const PhaseOptions& options, int thread) {
  if (options.max_operations == 0) return std::numeric_limits<uint64_t>::max();
  const uint64_t threads = options.threads;
  return options.max_operations / threads +
         (static_cast<uint64_t>(thread) < options.max_operations % threads ? 1 : 0);
}

// The same numbers for all engines and repetitions, and others in each phase: one that drew those
// of the phase before would find in memory what that one has asked for.
uint64_t Seed(std::string_view phase, int thread) {
  uint64_t seed = static_cast<uint64_t>(thread);
  for (const char c : phase) seed = Mix64(seed + kGoldenRatio64 + static_cast<uint8_t>(c));
  return seed;
}

// Per second, over all threads.
std::vector<SecondOfSeries> MergeSeries(const std::deque<Worker>& workers) {
  size_t seconds = 0;
  for (const Worker& worker : workers) seconds = std::max(seconds, worker.series().size());
  std::vector<SecondOfSeries> result(seconds);
  for (size_t i = 0; i < seconds; ++i) {
    Histogram latency;
    for (const Worker& worker : workers) {
      if (i >= worker.series().size()) continue;
      result[i].operations += worker.series()[i].operations;
      latency.Merge(worker.series()[i].latency);
    }
    result[i].p999_ns = latency.Percentile(0.999);
  }
  return result;
}

absl::Status RunThreads(std::deque<Worker>* workers,
                        absl::FunctionRef<absl::Status(Worker*)> body) {
  if (workers->size() == 1) {
    workers->front().Start();
    return body(&workers->front());
  }
  std::vector<absl::Status> statuses(workers->size());
  std::latch ready(static_cast<std::ptrdiff_t>(workers->size()));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers->size(); ++i) {
    threads.emplace_back([&ready, &body, worker = &(*workers)[i], status = &statuses[i]] {
      ready.arrive_and_wait();
      worker->Start();
      *status = body(worker);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EMDB_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

Measurement Summarize(const PhaseOptions& options, const std::deque<Worker>& workers,
                      const ProcessUsage& used, double seconds) {
  Measurement result;
  result.phase = options.name;
  Histogram latency;
  for (const Worker& worker : workers) {
    result.operations += worker.total_operations();
    latency.Merge(worker.latency());
  }
  result.seconds = seconds;
  result.value = static_cast<double>(result.operations) / seconds;
  result.latency = latency.Summarize();
  result.series = MergeSeries(workers);
  result.cpu_seconds = used.cpu_seconds;
  result.syncs = used.syncs;
  result.bytes_read = used.bytes_read;
  return result;
}

}  // namespace

Worker::Worker(const PhaseOptions& options, int thread, Progress* progress)
    : options_(options),
      thread_(thread),
      progress_(progress),
      operation_limit_(OperationLimit(options, thread)),
      random_(Seed(options.name, thread)) {}

void Worker::Start() { start_ = Clock::now(); }

bool Worker::NextTimed() {
  Clock::time_point now{};
  if (is_timing_) {
    now = Clock::now();
    EndTimed(now);
    if (until_timed_ > 0 && !is_over_) return Next();
  }
  if (is_over_ || operations_ >= operation_limit_) return false;
  // The untimed operations that follow this one must not go beyond the limit.
  until_timed_ =
      std::min<uint64_t>(options_.latency_interval - 1, operation_limit_ - operations_ - 1);
  ++operations_;
  is_timing_ = true;
  operation_start_ = now == Clock::time_point{} ? Clock::now() : now;
  return true;
}

void Worker::EndTimed(Clock::time_point now) {
  is_timing_ = false;
  const uint64_t nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - operation_start_).count();
  latency_.Record(nanos);
  const double elapsed = SecondsBetween(start_, now);
  double fraction = static_cast<double>(operations_) / static_cast<double>(operation_limit_);
  if (options_.max_seconds > 0) {
    is_over_ = elapsed >= options_.max_seconds;
    fraction = std::max(fraction, elapsed / options_.max_seconds);
  }
  if (thread_ == 0) progress_->SetFraction(fraction);
  if (options_.with_series) RecordSecond(now, nanos);
}

void Worker::RecordSecond(Clock::time_point now, uint64_t nanos) {
  const auto second = static_cast<size_t>(SecondsBetween(start_, now));
  // The part of a second in which the phase ends would look like a stall.
  if (options_.max_seconds > 0 && second + 1 > static_cast<size_t>(options_.max_seconds)) return;
  // Seconds in which no operation ended are there too, with none.
  if (series_.size() <= second) series_.resize(second + 1);
  series_.back().operations += total_operations() - operations_before_second_;
  series_.back().latency.Record(nanos);
  operations_before_second_ = total_operations();
}

absl::StatusOr<Measurement> RunPhase(const PhaseOptions& options, Progress* progress,
                                     absl::FunctionRef<absl::Status(Worker*)> body) {
  if (options.max_operations == 0 && options.max_seconds <= 0) {
    return absl::InvalidArgumentError("a phase without an end: " + options.name);
  }
  progress->BeginPhase(options.name);
  std::deque<Worker> workers;
  for (int i = 0; i < options.threads; ++i) workers.emplace_back(options, i, progress);
  const ProcessUsage before = ReadProcessUsage();
  const Worker::Clock::time_point start = Worker::Clock::now();
  const absl::Status status = RunThreads(&workers, body);
  const double seconds = SecondsBetween(start, Worker::Clock::now());
  if (!status.ok()) return Annotate(status, options.name);
  return Summarize(options, workers, ReadProcessUsage() - before, seconds);
}

absl::StatusOr<Measurement> TimeCall(std::string_view name, Progress* progress,
                                     absl::FunctionRef<absl::Status()> call) {
  const PhaseOptions options{.name = std::string(name), .max_operations = 1};
  EMDB_ASSIGN_OR_RETURN(Measurement result, RunPhase(options, progress, [&call](Worker* worker) {
                          while (worker->Next()) EMDB_RETURN_IF_ERROR(call());
                          return absl::OkStatus();
                        }));
  result.unit = Unit::kSeconds;
  result.value = result.seconds;
  result.latency = {};
  return result;
}

}  // namespace emdb::bench
