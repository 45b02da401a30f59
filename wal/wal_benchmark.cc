// Microbenchmarks of the log on real files, in $TEST_TMPDIR or /tmp: appends, durable appends by
// threads, commits in flight from one thread, replay.
//
//   bazel run --config=opt //wal:wal_benchmark -- --benchmark_filter=DurableAppend

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "storage/check.h"
#include "wal/wal.h"

namespace emdb {
namespace {

// A new log in a directory of its own.
class TempLog {
 public:
  explicit TempLog(const WalOptions& options) {
    const char* const parent = ::getenv("TEST_TMPDIR");
    directory_ = std::string(parent != nullptr ? parent : "/tmp") + "/wal_benchmark_XXXXXX";
    EMDB_CHECK(::mkdtemp(directory_.data()) != nullptr);
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(directory_ + "/log", options);
    EMDB_CHECK(wal.ok());
    wal_ = *std::move(wal);
  }
  ~TempLog() {
    wal_.reset();
    std::filesystem::remove_all(directory_);
  }

  Wal* operator->() const { return wal_.get(); }

 private:
  std::string directory_;
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

void BM_DurableAppend(benchmark::State& state) {
  if (state.thread_index() == 0) {
    WalOptions options = WithPolicy(FlushPolicy::OnEachWrite());
    options.io_mode = state.range(0) == 0 ? IoMode::kBuffered : IoMode::kDirect;
    SharedLog() = std::make_unique<TempLog>(options);
  }
  const std::string record(100, 'x');
  for (auto _ : state) EMDB_CHECK((*SharedLog())->Append(record).ok());
  ReportRecords(state, 100);
  if (state.thread_index() == 0) {
    const WalStats stats = (*SharedLog())->stats();
    state.counters["syncs_per_commit"] =
        static_cast<double>(stats.syncs) / static_cast<double>(stats.records_appended);
    state.counters["us_per_sync"] =
        static_cast<double>(stats.sync_nanos) / 1e3 / static_cast<double>(stats.syncs);
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
                           [&](uint64_t, std::string_view) {
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
