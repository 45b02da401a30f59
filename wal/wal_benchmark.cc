// Microbenchmarks of the log on real files, in $TEST_TMPDIR or /tmp: appends, what of them is the
// price of surviving a kill, their latency with and without rotations, durable appends by threads,
// commits in flight from one thread, replay, reopening. Everything is checked: what was appended is
// counted, and replays look at each record.
//
//   bazel run --config=opt //wal:wal_benchmark -- --benchmark_filter=DurableAppend

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/check.h"
#include "storage/crc32c.h"
#include "storage/mem_env.h"
#include "storage/posix_env.h"
#include "wal/append_buffer.h"
#include "wal/wal.h"

namespace emdb {
namespace {

// A new directory, removed at the end.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    const char* const parent = ::getenv("TEST_TMPDIR");
    path_ = std::string(parent != nullptr ? parent : "/tmp") + "/wal_benchmark_XXXXXX";
    EMDB_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string Path(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A new log in a directory of its own.
class TempLog {
 public:
  explicit TempLog(const WalOptions& options) {
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(directory_.Path("log"), options);
    EMDB_CHECK(wal.ok());
    wal_ = *std::move(wal);
  }

  Wal* operator->() const { return wal_.get(); }

 private:
  const ScratchDirectory directory_;  // outlives wal_
  std::unique_ptr<Wal> wal_;
};

WalOptions WithPolicy(FlushPolicy policy) {
  WalOptions options;
  options.flush_policy = policy;
  return options;
}

void ReportRecords(benchmark::State& state, int64_t bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * bytes);
}

// The times that one thread's calls took.
class Latencies {
 public:
  Latencies() { nanos_.reserve(1 << 20); }

  // Adds the time since the last call of Start or Stop.
  void Start() { last_ = PosixEnv()->NowNanos(); }
  void Stop() {
    const uint64_t now = PosixEnv()->NowNanos();
    nanos_.push_back(static_cast<uint32_t>(std::min<uint64_t>(now - last_, UINT32_MAX)));
    last_ = now;
  }

  // In us; `part` is 0.99 for the time that 99% of the calls were within.
  double Quantile(double part) {
    EMDB_CHECK(!nanos_.empty());
    const auto index = static_cast<size_t>(part * static_cast<double>(nanos_.size() - 1));
    std::nth_element(nanos_.begin(), nanos_.begin() + static_cast<ptrdiff_t>(index), nanos_.end());
    return static_cast<double>(nanos_[index]) / 1e3;
  }

 private:
  uint64_t last_ = 0;
  std::vector<uint32_t> nanos_;
};

// Of several threads: the mean of theirs.
void ReportQuantile(benchmark::State& state, const char* name, double microseconds) {
  state.counters[name] = benchmark::Counter(microseconds, benchmark::Counter::kAvgThreads);
}

// Shared by the threads of one run.
std::unique_ptr<TempLog>& SharedLog() {
  static auto* const log = new std::unique_ptr<TempLog>;
  return *log;
}

void BM_UnsyncedAppend(benchmark::State& state) {
  if (state.thread_index() == 0) {
    SharedLog() = std::make_unique<TempLog>(WithPolicy(FlushPolicy::Manual()));
  }
  const std::string record(static_cast<size_t>(state.range(0)), 'x');
  uint64_t appended = 0;
  for (auto _ : state) {
    const absl::StatusOr<uint64_t> seq = (*SharedLog())->Append(record);
    EMDB_CHECK(seq.ok());
    // Keeps the disk from filling up, as a checkpoint would.
    const bool drops = state.thread_index() == 0 && ++appended * record.size() > (64 << 20);
    if (!drops) continue;
    appended = 0;
    const absl::StatusOr<uint64_t> first = (*SharedLog())->Rotate();
    EMDB_CHECK(first.ok() && (*SharedLog())->TruncateBefore(*first).ok());
  }
  ReportRecords(state, state.range(0));
  if (state.thread_index() == 0) SharedLog().reset();
}
BENCHMARK(BM_UnsyncedAppend)->Arg(100)->Arg(4096)->ThreadRange(1, 8)->UseRealTime();

// The append buffer by itself, as a mapped file that survives a kill (0) and as anonymous memory
// (1): the difference is what surviving costs.
void BM_BufferAppend(benchmark::State& state) {
  constexpr uint64_t kRingBytes = 4 << 20;
  const ScratchDirectory directory;
  const std::unique_ptr<Env> memory = NewMemEnv();
  Env* const env = state.range(0) == 0 ? PosixEnv() : memory.get();
  absl::StatusOr<std::unique_ptr<RingMapping>> ring =
      env->MapRing(directory.Path("buffer"), kRingBytes);
  EMDB_CHECK(ring.ok());
  const TailSegment segment = {.number = 1, .salt = 1, .end_lsn = UINT64_MAX};
  AppendBuffer buffer(*std::move(ring), segment, 0, 0);
  const std::string record(static_cast<size_t>(state.range(1)), 'x');
  for (auto _ : state) {
    if (buffer.FitOf(record.size()) != AppendBuffer::Fit::kFits) buffer.Free(buffer.tail_lsn());
    buffer.AppendRecord(record, Crc32c(record));
  }
  EMDB_CHECK(buffer.next_seq() == static_cast<uint64_t>(state.iterations()));
  ReportRecords(state, state.range(1));
}
BENCHMARK(BM_BufferAppend)->ArgsProduct({{0, 1}, {100, 4096}})->UseRealTime();

// One thread appends, and another rotates and truncates as checkpoints do, `range(0)` times while
// it runs.
void BM_AppendLatency(benchmark::State& state) {
  constexpr uint64_t kRecords = 5'000'000;
  const auto rotations = static_cast<uint64_t>(state.range(0));
  Latencies latencies;
  for (auto _ : state) {
    TempLog log(WithPolicy(FlushPolicy::Group(absl::Milliseconds(5))));
    const std::string record(100, 'x');
    std::thread rotator([&log, rotations] {
      for (uint64_t i = 1; i <= rotations; ++i) {
        while (log->next_seq() < i * (kRecords / (rotations + 1))) std::this_thread::yield();
        const absl::StatusOr<uint64_t> first = log->Rotate();
        EMDB_CHECK(first.ok() && log->TruncateBefore(*first).ok());
      }
    });
    latencies.Start();
    for (uint64_t i = 0; i < kRecords; ++i) {
      EMDB_CHECK(log->Append(record).ok());
      latencies.Stop();
    }
    rotator.join();
    EMDB_CHECK(log->next_seq() == kRecords && log->Flush().ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRecords));
  ReportQuantile(state, "p50_us", latencies.Quantile(0.5));
  ReportQuantile(state, "p99_9_us", latencies.Quantile(0.999));
  ReportQuantile(state, "p99_99_us", latencies.Quantile(0.9999));
  ReportQuantile(state, "max_us", latencies.Quantile(1));
}
BENCHMARK(BM_AppendLatency)->Arg(0)->Arg(100)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_DurableAppend(benchmark::State& state) {
  if (state.thread_index() == 0) {
    WalOptions options = WithPolicy(FlushPolicy::OnEachWrite());
    options.io_mode = state.range(0) == 0 ? IoMode::kBuffered : IoMode::kDirect;
    SharedLog() = std::make_unique<TempLog>(options);
  }
  const std::string record(100, 'x');
  Latencies latencies;
  for (auto _ : state) {
    latencies.Start();
    const absl::StatusOr<uint64_t> seq = (*SharedLog())->Append(record);
    latencies.Stop();
    EMDB_CHECK(seq.ok() && (*SharedLog())->durable_seq() > *seq);
  }
  ReportRecords(state, 100);
  ReportQuantile(state, "p50_us", latencies.Quantile(0.5));
  ReportQuantile(state, "p99_us", latencies.Quantile(0.99));
  if (state.thread_index() == 0) {
    const WalStats stats = (*SharedLog())->stats();
    state.counters["syncs_per_commit"] =
        static_cast<double>(stats.syncs) / static_cast<double>(stats.records_appended);
    state.counters["us_per_sync"] = static_cast<double>(stats.sync_latency.mean_nanos()) / 1e3;
    SharedLog().reset();
  }
}
BENCHMARK(BM_DurableAppend)->Arg(0)->Arg(1)->ThreadRange(1, 64)->UseRealTime();

void BM_CommitsInFlight(benchmark::State& state) {
  TempLog log(WithPolicy(FlushPolicy::Manual()));
  const std::string record(100, 'x');
  const uint64_t in_flight = static_cast<uint64_t>(state.range(0));
  // One word that callbacks count up, and that the appender waits on when too many are outstanding.
  std::atomic<uint64_t> done{0};
  uint64_t begun = 0;
  for (auto _ : state) {
    const absl::StatusOr<uint64_t> seq = log->Append(record);
    EMDB_CHECK(seq.ok());
    ++begun;
    log->NotifyDurable(
        *seq, [&done](const absl::Status&) { done.fetch_add(1, std::memory_order_release); });
    if (begun - done.load(std::memory_order_acquire) >= in_flight) {
      EMDB_CHECK(log->WaitForSeq(*seq - in_flight / 2).ok());
    }
  }
  EMDB_CHECK(log->Close().ok());
  EMDB_CHECK(done == begun);
  ReportRecords(state, 100);
}
BENCHMARK(BM_CommitsInFlight)->Arg(64)->Arg(1024)->UseRealTime();

void BM_Replay(benchmark::State& state) {
  TempLog log(WithPolicy(FlushPolicy::Manual()));
  const std::string record(static_cast<size_t>(state.range(0)), 'x');
  constexpr int64_t kBytes = 256 << 20;
  const int64_t records = kBytes / state.range(0);
  for (int64_t i = 0; i < records; ++i) EMDB_CHECK(log->Append(record).ok());
  EMDB_CHECK(log->Flush().ok());
  for (auto _ : state) {
    uint64_t seen = 0;
    EMDB_CHECK(log->Replay(0,
                           [&](uint64_t seq, std::string_view replayed) {
                             EMDB_CHECK(seq == seen && replayed.size() == record.size());
                             ++seen;
                             return absl::OkStatus();
                           })
                   .ok());
    EMDB_CHECK(seen == static_cast<uint64_t>(records));
  }
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * kBytes);
}
BENCHMARK(BM_Replay)->Arg(100)->Arg(4096)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_ReopenClosed(benchmark::State& state) {
  TempLog log(WithPolicy(FlushPolicy::Manual()));
  const std::string record(4096, 'x');
  for (int64_t i = 0; i < state.range(0) * 256; ++i) EMDB_CHECK(log->Append(record).ok());
  const std::string path(log->path());
  EMDB_CHECK(log->Close().ok());
  for (auto _ : state) {
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(path);
    EMDB_CHECK(wal.ok());
    state.PauseTiming();
    wal->reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_ReopenClosed)->Arg(1)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace emdb

BENCHMARK_MAIN();
