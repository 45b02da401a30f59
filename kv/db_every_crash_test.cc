// Power is cut before every operation of a small workload, and each time the disk is left in every
// state that SystematicChooser knows: nothing of what was not durable is there, all of it, all but
// one range of pieces, one range alone: a sector, a write, a part of one, several. None of them is
// left to chance. The database must open with a prefix of the batches that has every acknowledged
// one.
//
// Each state is looked at by an open that only reads, and every EMDB_STRIDE-th by one that repairs
// the log and goes on writing, which takes longer, most of it for threads; so is each one of a
// store that is being made.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/forked_run.h"
#include "kv/order_monitor.h"
#include "kv/shared_memory.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/every.emdb";
// In every batch: how many there were up to it.
constexpr char kCounterKey[] = "counter";

using State = std::map<std::string, std::string>;

// What was written, and how much of it is acknowledged as durable.
struct History {
  std::vector<State> states = {State()};  // after so many batches
  size_t durable_batches = 0;

  size_t batches() const { return states.size() - 1; }
};

Options SmallOptions(Env* env, IoMode mode) {
  Options options;
  options.env = env;
  options.memtable_size = 64 << 10;
  options.cache_size = 1 << 20;
  options.wal_segment_size = 64 << 10;
  options.wal_io_mode = mode;
  options.flush_policy = FlushPolicy::Manual();
  return options;
}

// Runs until something fails.
class Workload {
 public:
  Workload(FaultEnv* env, IoMode mode)
      : monitor_(env, kPath), options_(SmallOptions(monitor_.env(), mode)) {}

  const History& history() const { return history_; }
  const OrderMonitor& monitor() const { return monitor_; }

  absl::Status Run() {
    EMDB_RETURN_IF_ERROR(Open());
    EMDB_RETURN_IF_ERROR(Write("a", 100, true));
    EMDB_RETURN_IF_ERROR(Write("b", 1500, false));
    EMDB_RETURN_IF_ERROR(Write("c", 20, true));
    EMDB_RETURN_IF_ERROR(Acknowledge(db_->Checkpoint()));
    EMDB_RETURN_IF_ERROR(Write("a", 2000, true));
    EMDB_RETURN_IF_ERROR(Write("d", 300, false));
    // A reopen that finds a log with records.
    EMDB_RETURN_IF_ERROR(Acknowledge(db_->Close()));
    EMDB_RETURN_IF_ERROR(Open());
    EMDB_RETURN_IF_ERROR(Write("b", 9000, false));
    EMDB_RETURN_IF_ERROR(Acknowledge(db_->Checkpoint()));
    EMDB_RETURN_IF_ERROR(Write("e", 10, false));
    return Acknowledge(db_->Close());
  }

 private:
  absl::Status Open() {
    db_.reset();
    EMDB_ASSIGN_OR_RETURN(db_, Db::Open(options_, kPath));
    return absl::OkStatus();
  }

  absl::Status Acknowledge(absl::Status status) {
    if (status.ok()) history_.durable_batches = history_.batches();
    return status;
  }

  absl::Status Write(const std::string& key, size_t value_size, bool sync) {
    State next = history_.states.back();
    next[kCounterKey] = std::to_string(history_.batches() + 1);
    next[key] = std::string(value_size, static_cast<char>('a' + history_.batches()));
    WriteBatch batch;
    batch.Put(kCounterKey, next[kCounterKey]);
    batch.Put(key, next[key]);
    // It may survive from here on, whatever we are told.
    history_.states.push_back(std::move(next));
    const absl::Status status = db_->Write(batch, {.sync = sync});
    return sync ? Acknowledge(status) : status;
  }

  OrderMonitor monitor_;
  const Options options_;
  History history_;
  std::unique_ptr<Db> db_;
};

// "", or what is wrong with the contents of `db`.
std::string CheckContents(const Db& db, const History& history) {
  State found;
  const std::unique_ptr<Iterator> it = db.NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
  if (!it->status().ok()) return "reading: " + it->status().ToString();
  const auto counter = found.find(kCounterKey);
  const size_t batches = counter == found.end() ? 0 : std::stoul(counter->second);
  if (batches < history.durable_batches) return "an acknowledged write is lost";
  if (batches > history.batches()) return "a write was invented";
  if (found != history.states[batches]) return "not the state after batch " + counter->second;
  return "";
}

std::string CheckByReading(const DiskImage& image, const History& history, IoMode mode) {
  FaultEnv env(image);
  Options options = SmallOptions(&env, mode);
  options.read_only = true;
  const auto db = Db::Open(options, kPath);
  // A power cut before the first acknowledgement may leave no store.
  if (absl::IsNotFound(db.status()) && history.durable_batches == 0) return "";
  if (!db.ok()) return "opening to read: " + db.status().ToString();
  return CheckContents(**db, history);
}

std::string CheckByGoingOn(const DiskImage& image, const History& history, IoMode mode) {
  FaultEnv env(image);
  OrderMonitor monitor(&env, kPath);
  auto db = Db::Open(SmallOptions(monitor.env(), mode), kPath);
  if (!db.ok()) return "opening: " + db.status().ToString();
  std::string wrong = CheckContents(**db, history);
  if (!wrong.empty()) return wrong;
  // What is written behind the recovered end is found behind it again, after another power cut.
  const absl::Status written = (*db)->Put("after", "recovery", {.sync = true});
  if (!written.ok()) return "writing: " + written.ToString();
  FaultEnv again(env.SyncedImage());
  db->reset();
  if (!monitor.failure().empty()) return "going on: " + monitor.failure();
  const auto reopened = Db::Open(SmallOptions(&again, mode), kPath);
  if (!reopened.ok()) return "opening again: " + reopened.status().ToString();
  std::string value;
  const absl::Status read = (*reopened)->Get("after", &value);
  if (!read.ok()) return "reading again: " + read.ToString();
  const absl::Status verified = (*reopened)->Verify();
  return verified.ok() ? "" : "verifying: " + verified.ToString();
}

struct Sums {
  std::atomic<uint64_t> states{0};
  std::atomic<uint64_t> went_on{0};
};

// All states that a power cut before operation `cut` may leave.
std::string CheckCut(uint64_t cut, IoMode mode, uint64_t stride, Sums* sums) {
  FaultEnv env;
  env.CutPowerAt(cut);
  Workload workload(&env, mode);
  workload.Run().IgnoreError();
  if (!workload.monitor().failure().empty()) return workload.monitor().failure();
  const History& history = workload.history();
  SystematicChooser chooser;
  uint64_t state = 0;
  do {
    const DiskImage image = env.CrashImage(&chooser);
    std::string wrong = CheckByReading(image, history, mode);
    ++sums->states;
    if (wrong.empty() && (history.batches() == 0 || (state + cut) % stride == 0)) {
      wrong = CheckByGoingOn(image, history, mode);
      ++sums->went_on;
    }
    if (!wrong.empty()) return "state " + std::to_string(state) + ": " + wrong;
    ++state;
  } while (chooser.Next());
  return "";
}

class DbEveryCrashTest : public testing::TestWithParam<IoMode> {};

INSTANTIATE_TEST_SUITE_P(Modes, DbEveryCrashTest,
                         testing::Values(IoMode::kBuffered, IoMode::kDirect), [](const auto& info) {
                           return info.param == IoMode::kDirect ? "Direct" : "Buffered";
                         });

TEST_P(DbEveryCrashTest, EveryStateOfEveryPowerCutIsAPrefixWithAllThatWasAcknowledged) {
  const uint64_t stride = TestSetting("EMDB_STRIDE", 40);
  uint64_t cuts = 0;
  {
    FaultEnv env;
    Workload workload(&env, GetParam());
    ASSERT_EQ(workload.Run(), absl::OkStatus());
    EXPECT_GT(workload.monitor().headers_checked(), 2u);
    cuts = env.OperationCount() + 1;
  }
  SharedMemory<Sums> sums;
  const ForkedRun run =
      RunForked(cuts, [&](uint64_t cut) { return CheckCut(cut, GetParam(), stride, &*sums); },
                {.one_processor_each = true});
  for (const std::string& failure : run.failures) ADD_FAILURE() << failure;
  std::printf("%llu power cuts, %llu states, %llu of them went on\n",
              static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(sums->states.load()),
              static_cast<unsigned long long>(sums->went_on.load()));
  // It is a workload worth the name.
  EXPECT_GT(cuts, 40u);
  EXPECT_GT(sums->states, 10 * cuts);
}

}  // namespace
}  // namespace emdb
