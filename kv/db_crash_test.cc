// Power is cut before every I/O operation of a workload with checkpoints, rotations and a reopen,
// and of the recovery that follows; from what the disk may hold then the database must open again
// with a prefix of the writes that has every acknowledged one, no batch in part, and nothing that
// was never written.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/order_monitor.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/crash.emdb";
// Of the states that a power cut may leave, so many are looked at.
constexpr uint64_t kImages = 5;
// In every batch: how many there were up to it.
constexpr char kCounterKey[] = "counter";

using State = std::map<std::string, std::string>;

// What was written, and how much of it is acknowledged as durable.
struct History {
  std::vector<State> states = {State()};  // after so many batches
  size_t durable_batches = 0;
  // Written with the power still there: what is stored into a mapped file behind a cut is not in
  // the image, though no call has failed.
  size_t returned_batches = 0;

  size_t batches() const { return states.size() - 1; }
};

Options CrashOptions(Env* env, uint32_t seed) {
  Options options;
  options.env = env;
  options.memtable_size = 64 << 10;
  options.cache_size = 1 << 20;
  options.wal_segment_size = 64 << 10;
  if (seed % 2 == 0) options.flush_policy = FlushPolicy::Manual();
  if (seed % 3 == 0) options.wal_io_mode = IoMode::kDirect;
  return options;
}

// Runs until something fails; whatever the caller does to the disk.
class Workload {
 public:
  Workload(FaultEnv* env, uint32_t seed)
      : env_(env), monitor_(env, kPath), seed_(seed), random_(seed) {}

  const History& history() const { return history_; }
  const OrderMonitor& monitor() const { return monitor_; }

  absl::Status Run() {
    if (absl::Status s = Open(); !s.ok()) return s;
    if (absl::Status s = Writes(15); !s.ok()) return s;
    if (absl::Status s = Acknowledge(db_->Checkpoint()); !s.ok()) return s;
    if (absl::Status s = Writes(15); !s.ok()) return s;
    // A reopen that finds a log which was not closed.
    Kill();
    if (absl::Status s = Open(); !s.ok()) return s;
    const Stats stats = db_->GetStats();
    EXPECT_FALSE(stats.wal_recovery.was_clean);
    EXPECT_GT(stats.recovered_records, 0u);
    if (absl::Status s = Writes(10); !s.ok()) return s;
    if (absl::Status s = Acknowledge(db_->Checkpoint()); !s.ok()) return s;
    if (absl::Status s = Writes(5); !s.ok()) return s;
    return Acknowledge(db_->Close());
  }

 private:
  absl::Status Open() {
    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(CrashOptions(monitor_.env(), seed_), kPath);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    return absl::OkStatus();
  }

  // From here on the process does nothing to the disk any more.
  void Kill() {
    env_->AddRule({.matches = [](FileOp op, std::string_view) { return IsNumbered(op); }});
    db_.reset();
    env_->ClearRules();
  }

  absl::Status Acknowledge(absl::Status status) {
    if (status.ok()) history_.durable_batches = history_.batches();
    return status;
  }

  absl::Status Writes(int count) {
    for (int i = 0; i < count; ++i) {
      if (absl::Status s = Write(); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status Write() {
    State next = history_.states.back();
    WriteBatch batch;
    const auto put = [&](const std::string& key, const std::string& value) {
      batch.Put(key, value);
      next[key] = value;
    };
    put(kCounterKey, std::to_string(history_.batches() + 1));
    for (uint32_t i = random_() % 6; i > 0; --i) {
      const std::string key = "key" + std::to_string(random_() % 30);
      if (random_() % 4 == 0) {
        batch.Delete(key);
        next.erase(key);
      } else {
        // Now and then larger than a sector, a page, or a few of them.
        const size_t size = random_() % 8 == 0 ? random_() % 20000 : random_() % 300;
        put(key, std::string(size, static_cast<char>('a' + random_() % 26)));
      }
    }
    // It may survive from here on, whatever we are told.
    history_.states.push_back(std::move(next));
    const bool sync = random_() % 2 == 0;
    const absl::Status status = db_->Write(batch, {.sync = sync});
    if (status.ok() && !env_->PowerIsCut()) history_.returned_batches = history_.batches();
    return sync ? Acknowledge(status) : status;
  }

  FaultEnv* const env_;
  OrderMonitor monitor_;
  const uint32_t seed_;
  std::mt19937 random_;
  History history_;
  std::unique_ptr<Db> db_;
};

// States that were looked at, of all seeds.
uint64_t states_seen = 0;

// The database on `env` is one of the states that may be there.
void ExpectAllowedState(FaultEnv* env, const History& history, uint32_t seed, bool thorough) {
  ++states_seen;
  OrderMonitor monitor(env, kPath);
  const Options options = CrashOptions(monitor.env(), seed);
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  State found;
  std::unique_ptr<Iterator> it = (*db)->NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
  ASSERT_TRUE(it->status().ok()) << it->status();
  it.reset();
  const auto counter = found.find(kCounterKey);
  const size_t batches = counter == found.end() ? 0 : std::stoul(counter->second);
  ASSERT_GE(batches, history.durable_batches) << "an acknowledged write is lost";
  ASSERT_LE(batches, history.batches()) << "a write was invented";
  ASSERT_TRUE(found == history.states[batches]) << "not the state after batch " << batches;
  ASSERT_EQ(monitor.failure(), "");
  if (!thorough) return;
  ASSERT_TRUE((*db)->Verify().ok());
  // What is written behind the recovered end is found behind it again.
  ASSERT_TRUE((*db)->Put("after", "recovery", {.sync = true}).ok());
  db->reset();
  db = Db::Open(options, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  std::string value;
  ASSERT_TRUE((*db)->Get("after", &value).ok());
  ASSERT_EQ((*db)->Get(kCounterKey, &value).ok(), batches > 0);
  ASSERT_EQ(monitor.failure(), "");
}

DiskImage CrashImage(const FaultEnv& env, uint64_t seed) {
  RandomChooser chooser(seed);
  return env.CrashImage(&chooser);
}

// Opens `image` with the power cut before operation `n` of the recovery; returns `count` of the
// states that may be left then. *finished is set if the recovery does not have that many
// operations.
std::vector<DiskImage> CrashTheRecovery(const DiskImage& image, uint32_t seed, uint64_t n,
                                        uint64_t count, bool* finished) {
  FaultEnv env(image);
  env.CutPowerAt(n);
  OrderMonitor monitor(&env, kPath);
  // Either result is right: the cut may come behind the last operation that matters.
  Db::Open(CrashOptions(monitor.env(), seed), kPath).status().IgnoreError();
  EXPECT_EQ(monitor.failure(), "");
  *finished = !env.PowerIsCut();
  std::vector<DiskImage> images;
  for (uint64_t i = 0; i < count; ++i) {
    images.push_back(i == 1 ? env.SyncedImage() : CrashImage(env, (seed * 31 + n) * count + i));
  }
  return images;
}

// Seeds EMDB_SEED and on, EMDB_RUNS of them.
class DbCrashTest : public testing::TestWithParam<uint32_t> {
 protected:
  static void TearDownTestSuite() {
    std::printf("%llu states\n", static_cast<unsigned long long>(states_seen));
  }
};

std::vector<uint32_t> Seeds() {
  std::vector<uint32_t> seeds(TestSetting("EMDB_RUNS", 2));
  std::iota(seeds.begin(), seeds.end(), static_cast<uint32_t>(TestSetting("EMDB_SEED", 1)));
  return seeds;
}

INSTANTIATE_TEST_SUITE_P(Seed, DbCrashTest, testing::ValuesIn(Seeds()));

TEST_P(DbCrashTest, APowerCutAtAnyOperationLeavesAPrefixWithAllThatWasAcknowledged) {
  const uint32_t seed = GetParam();
  uint64_t operations = 0;
  for (uint64_t cut = 0;; ++cut) {
    SCOPED_TRACE("cut before operation " + std::to_string(cut));
    FaultEnv env;
    env.CutPowerAt(cut);
    Workload workload(&env, seed);
    const absl::Status status = workload.Run();
    ASSERT_EQ(workload.monitor().failure(), "");
    for (uint64_t i = 0; i < kImages; ++i) {
      SCOPED_TRACE("image " + std::to_string(i));
      const DiskImage image = i == 0 ? env.SyncedImage() : CrashImage(env, cut * kImages + i);
      FaultEnv after(image);
      ASSERT_NO_FATAL_FAILURE(ExpectAllowedState(&after, workload.history(), seed, i == 1));
      if (i % 2 == 0) continue;
      // And once more, with a second cut somewhere in the recovery.
      bool finished = false;
      for (const DiskImage& second : CrashTheRecovery(image, seed, (cut + i) % 16, 1, &finished)) {
        FaultEnv after_second(second);
        ASSERT_NO_FATAL_FAILURE(ExpectAllowedState(&after_second, workload.history(), seed, false));
      }
    }
    if (!env.PowerIsCut()) {
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_GE(workload.monitor().headers_checked(), 4u);
      EXPECT_GT(workload.monitor().segments_checked(), 0u);
      operations = cut;
      break;
    }
  }
  // It is a workload worth the name.
  EXPECT_GT(operations, 60u);
  RecordProperty("operations", static_cast<int>(operations));
}

TEST_P(DbCrashTest, APowerCutAtAnyOperationOfTheRecoveryLosesNothing) {
  const uint32_t seed = GetParam();
  for (uint64_t cut = 5;; cut += 17) {
    FaultEnv env;
    env.CutPowerAt(cut);
    Workload workload(&env, seed);
    workload.Run().IgnoreError();
    if (!env.PowerIsCut()) break;
    DiskImage image = CrashImage(env, cut);
    bool finished = false;
    for (uint64_t n = 0; !finished; ++n) {
      SCOPED_TRACE("cut before operation " + std::to_string(cut) + ", then " + std::to_string(n));
      for (const DiskImage& second : CrashTheRecovery(image, seed, n, kImages, &finished)) {
        FaultEnv after(second);
        ASSERT_NO_FATAL_FAILURE(ExpectAllowedState(&after, workload.history(), seed, false));
      }
    }
  }
}

TEST_P(DbCrashTest, AKilledProcessLosesNothingThatReturned) {
  const uint32_t seed = GetParam();
  for (uint64_t cut = 0;; cut += 3) {
    SCOPED_TRACE("killed before operation " + std::to_string(cut));
    FaultEnv env;
    env.CutPowerAt(cut);
    Workload workload(&env, seed);
    workload.Run().IgnoreError();
    FaultEnv after(env.FullImage());
    History history = workload.history();
    history.durable_batches = std::max(history.durable_batches, history.returned_batches);
    ASSERT_NO_FATAL_FAILURE(ExpectAllowedState(&after, history, seed, false));
    if (!env.PowerIsCut()) break;
  }
}

}  // namespace
}  // namespace emdb
