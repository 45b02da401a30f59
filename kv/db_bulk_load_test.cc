// Db::BulkLoad: against a model, with writers beside it, with errors and with the power cut at
// every operation.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "kv/order_monitor.h"
#include "kv/test_setting.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/load.emdb";

using State = std::map<std::string, std::string>;

BulkSource SourceOf(const State& records) {
  return [at = records.begin(), end = records.end()](
             std::string_view* key, std::string_view* value) mutable -> absl::StatusOr<bool> {
    if (at == end) return false;
    *key = at->first;
    *value = at->second;
    ++at;
    return true;
  };
}

// The records as they are given, in order or not.
BulkSource InThisOrder(std::vector<std::pair<std::string, std::string>> records) {
  return [records = std::move(records), at = size_t{0}](
             std::string_view* key, std::string_view* value) mutable -> absl::StatusOr<bool> {
    if (at == records.size()) return false;
    *key = records[at].first;
    *value = records[at].second;
    ++at;
    return true;
  };
}

State Replaced(State base, const State& records) {
  for (const auto& [key, value] : records) base[key] = value;
  return base;
}

State RandomRecords(std::mt19937_64* random, size_t count) {
  State records;
  while (records.size() < count) {
    // Now and then larger than a page.
    const size_t size = (*random)() % 50 == 0 ? (*random)() % 30000 : (*random)() % 200;
    records["key" + std::to_string((*random)() % 5000)] =
        std::string(size, static_cast<char>('a' + (*random)() % 26));
  }
  return records;
}

Options SmallOptions(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = 64 << 10;
  options.cache_size = 1 << 20;
  options.wal_segment_size = 64 << 10;
  return options;
}

State ReadAll(const Db& db) {
  State found;
  const std::unique_ptr<Iterator> it = db.NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
  EXPECT_TRUE(it->status().ok()) << it->status();
  return found;
}

class BulkLoadTest : public testing::Test {
 protected:
  BulkLoadTest() : monitor_(&env_, kPath) { Open(); }
  ~BulkLoadTest() override {
    db_.reset();
    EXPECT_EQ(monitor_.failure(), "");
  }

  void Open() {
    db_.reset();
    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(monitor_.env()), kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void ExpectState(const State& expected) {
    EXPECT_TRUE(ReadAll(*db_) == expected);
    const absl::Status status = db_->Verify();
    EXPECT_TRUE(status.ok()) << status;
  }

  FaultEnv env_;
  OrderMonitor monitor_;
  std::unique_ptr<Db> db_;
};

TEST_F(BulkLoadTest, LoadsIntoAnEmptyStorePastTheLog) {
  std::mt19937_64 random(1);
  const State records = RandomRecords(&random, 2000);
  ASSERT_EQ(db_->BulkLoad(SourceOf(records)), absl::OkStatus());
  EXPECT_EQ(db_->GetStats().puts, 0u);
  ExpectState(records);
  Open();
  ExpectState(records);
}

TEST_F(BulkLoadTest, AnEmptySourceChangesNothing) {
  ASSERT_EQ(db_->Put("a", "1"), absl::OkStatus());
  ASSERT_EQ(db_->BulkLoad(SourceOf(State())), absl::OkStatus());
  ExpectState({{"a", "1"}});
}

TEST_F(BulkLoadTest, ReplacesWhatWasWrittenBefore) {
  ASSERT_EQ(db_->Put("a", "old"), absl::OkStatus());
  ASSERT_EQ(db_->Put("b", "old"), absl::OkStatus());
  ASSERT_EQ(db_->Delete("c"), absl::OkStatus());
  ASSERT_EQ(db_->BulkLoad(SourceOf(State{{"a", "new"}, {"c", "new"}})), absl::OkStatus());
  ASSERT_EQ(db_->Put("c", "newer"), absl::OkStatus());
  ExpectState({{"a", "new"}, {"b", "old"}, {"c", "newer"}});
}

TEST_F(BulkLoadTest, ASnapshotDoesNotSeeIt) {
  ASSERT_EQ(db_->Put("a", "old"), absl::OkStatus());
  const Snapshot snapshot = db_->GetSnapshot();
  ASSERT_EQ(db_->BulkLoad(SourceOf(State{{"a", "new"}, {"b", "new"}})), absl::OkStatus());
  std::string value;
  ASSERT_EQ(db_->Get("a", &value, {.snapshot = &snapshot}), absl::OkStatus());
  EXPECT_EQ(value, "old");
  EXPECT_TRUE(absl::IsNotFound(db_->Get("b", &value, {.snapshot = &snapshot})));
  ASSERT_EQ(db_->Get("b", &value), absl::OkStatus());
}

TEST_F(BulkLoadTest, UnsortedInputIsRefusedWithBothKeys) {
  ASSERT_EQ(db_->Put("z", "1"), absl::OkStatus());
  for (const std::string second : {"a", "b"}) {
    const absl::Status status = db_->BulkLoad(InThisOrder({{"b", "2"}, {second, "3"}}));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find("\"b\""), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find("\"" + second + "\""), absl::string_view::npos) << status;
    ExpectState({{"z", "1"}});
  }
  ASSERT_EQ(db_->BulkLoad(InThisOrder({{"a", "2"}, {"b", "3"}})), absl::OkStatus());
  ExpectState({{"a", "2"}, {"b", "3"}, {"z", "1"}});
}

TEST_F(BulkLoadTest, KeysAndValuesOutOfBoundsAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(db_->BulkLoad(SourceOf(State{{"", "1"}}))));
  const std::string long_key(Db::kMaxKeyBytes + 1, 'k');
  EXPECT_TRUE(absl::IsInvalidArgument(db_->BulkLoad(SourceOf(State{{"a", "1"}, {long_key, "1"}}))));
  const auto too_large = [&](std::string_view* key, std::string_view* value) {
    *key = "a";
    // Its bytes are never looked at.
    *value = std::string_view(long_key.data(), Db::kMaxValueBytes + 1);
    return absl::StatusOr<bool>(true);
  };
  EXPECT_TRUE(absl::IsInvalidArgument(db_->BulkLoad(too_large)));
  ExpectState({});
}

TEST_F(BulkLoadTest, AnErrorOfTheSourceIsReturnedAndChangesNothing) {
  ASSERT_EQ(db_->Put("a", "1"), absl::OkStatus());
  const absl::Status broken = absl::AbortedError("the source broke");
  for (const int good : {0, 1, 1000}) {
    int calls = 0;
    char number[16];
    const absl::Status status =
        db_->BulkLoad([&](std::string_view* key, std::string_view* value) -> absl::StatusOr<bool> {
          if (calls == good) return broken;
          std::snprintf(number, sizeof(number), "%08d", calls++);
          *key = number;
          *value = "value";
          return true;
        });
    EXPECT_EQ(status, broken);
    ExpectState({{"a", "1"}});
  }
}

TEST_F(BulkLoadTest, AFullDiskChangesNothingAndTheStoreGoesOn) {
  ASSERT_EQ(db_->Put("a", "1"), absl::OkStatus());
  ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  std::mt19937_64 random(2);
  const State records = RandomRecords(&random, 4000);
  uint64_t used = 0;
  for (const auto& [name, bytes] : env_.FullImage().files) used += bytes.size();
  env_.SetCapacity(used + (128 << 10));
  const absl::Status full = db_->BulkLoad(SourceOf(records));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  env_.SetCapacity(UINT64_MAX);
  ExpectState({{"a", "1"}});
  ASSERT_EQ(db_->BulkLoad(SourceOf(records)), absl::OkStatus());
  ExpectState(Replaced({{"a", "1"}}, records));
}

TEST_F(BulkLoadTest, IsRefusedWhenClosedOrReadOnly) {
  ASSERT_EQ(db_->Close(), absl::OkStatus());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->BulkLoad(SourceOf(State{{"a", "1"}}))));
  db_.reset();
  Options options = SmallOptions(&env_);
  options.read_only = true;
  const absl::StatusOr<std::unique_ptr<Db>> reader = Db::Open(options, kPath);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE(absl::IsFailedPrecondition((*reader)->BulkLoad(SourceOf(State{{"a", "1"}}))));
}

TEST_F(BulkLoadTest, WritesAndReadsGoOnMeanwhileAndStand) {
  std::mt19937_64 random(3);
  const State records = RandomRecords(&random, 3000);
  const std::string shared = records.begin()->first;
  // Half way the source writes, through another thread, what the load has and what it has not.
  size_t handed_out = 0;
  BulkSource inner = SourceOf(records);
  const absl::Status status = db_->BulkLoad([&](std::string_view* key, std::string_view* value) {
    if (handed_out++ == records.size() / 2) {
      std::thread writer([&] {
        EXPECT_EQ(db_->Put(shared, "written meanwhile"), absl::OkStatus());
        EXPECT_EQ(db_->Put("other", "written meanwhile", {.sync = true}), absl::OkStatus());
        EXPECT_EQ(ReadAll(*db_).size(), 2u);
      });
      writer.join();
    }
    return inner(key, value);
  });
  ASSERT_EQ(status, absl::OkStatus());
  State expected = records;
  expected[shared] = expected["other"] = "written meanwhile";
  ExpectState(expected);
  Open();
  ExpectState(expected);
}

TEST_F(BulkLoadTest, LoadsAndWritesInTurnMatchTheModel) {
  const uint64_t seed = TestSetting("EMDB_BULK_LOAD_SEED", 1);
  std::mt19937_64 random(seed);
  State model;
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    for (uint64_t i = random() % 300; i > 0; --i) {
      const std::string key = "key" + std::to_string(random() % 5000);
      if (random() % 3 == 0) {
        ASSERT_EQ(db_->Delete(key), absl::OkStatus());
        model.erase(key);
      } else {
        model[key] = std::to_string(random());
        ASSERT_EQ(db_->Put(key, model[key]), absl::OkStatus());
      }
    }
    const State records = RandomRecords(&random, random() % 1000);
    ASSERT_EQ(db_->BulkLoad(SourceOf(records)), absl::OkStatus());
    model = Replaced(std::move(model), records);
    if (random() % 4 == 0) Open();
    ASSERT_NO_FATAL_FAILURE(ExpectState(model));
  }
}

// The log of a store that was only ever loaded does not hold what is in it.
TEST_F(BulkLoadTest, ADamagedStoreThatWasOnlyLoadedIsNotTakenForANewOne) {
  std::mt19937_64 random(5);
  ASSERT_EQ(db_->BulkLoad(SourceOf(RandomRecords(&random, 1000))), absl::OkStatus());
  ASSERT_EQ(db_->Close(), absl::OkStatus());
  const DiskImage whole = env_.FullImage();
  constexpr uint64_t kPageBytes = 8192;
  const std::vector<std::pair<std::string, std::function<void(DiskImage*)>>> damages = {
      {"cut", [](DiskImage* d) { d->files[kPath].Resize(d->files[kPath].size() - kPageBytes); }},
      {"first slot", [](DiskImage* d) { d->files[kPath].Write(0, std::string(kPageBytes, '\0')); }},
      {"second slot",
       [](DiskImage* d) { d->files[kPath].Write(kPageBytes, std::string(kPageBytes, '\0')); }},
      {"both slots",
       [](DiskImage* d) { d->files[kPath].Write(0, std::string(2 * kPageBytes, '\0')); }},
      {"emptied", [](DiskImage* d) { d->files[kPath].Resize(0); }},
      {"deleted", [](DiskImage* d) { d->files.erase(kPath); }},
  };
  for (const auto& [what, damage] : damages) {
    DiskImage image = whole;
    damage(&image);
    FaultEnv env(image);
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(&env), kPath);
    EXPECT_TRUE(absl::IsDataLoss(db.status())) << what << ": " << db.status();
    EXPECT_EQ(env.OperationCount(), 0u) << what;
  }
}

// A disk that says OK and does not write a header leaves the one in its slot that was there before
// the load. The log cannot tell: it goes on from the same seq.
TEST_F(BulkLoadTest, AnAcknowledgedLoadIsNotServedAsTheStateBeforeItIfAHeaderIsLost) {
  ASSERT_EQ(db_->Put("a", "1", {.sync = true}), absl::OkStatus());
  ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  const DiskImage before = env_.FullImage();
  std::mt19937_64 random(7);
  const State records = RandomRecords(&random, 500);
  ASSERT_EQ(db_->BulkLoad(SourceOf(records)), absl::OkStatus());
  const DiskImage after = env_.FullImage();
  size_t opened = 0;
  constexpr uint64_t kPageBytes = 8192;
  for (const uint64_t slot : {0, 1}) {
    DiskImage image = after;
    image.files[kPath].Write(slot * kPageBytes,
                             before.files.at(kPath).Read(slot * kPageBytes, kPageBytes));
    FaultEnv env(image);
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(&env), kPath);
    if (db.ok()) {
      ++opened;
      EXPECT_TRUE(ReadAll(**db) == Replaced({{"a", "1"}}, records)) << "slot " << slot;
    } else {
      EXPECT_TRUE(absl::IsDataLoss(db.status())) << db.status();
    }
  }
  EXPECT_EQ(opened, 1u);
}

// A killed process leaves a load whole that is not durable yet, and it is read.
TEST(BulkLoadCrashTest, ALoadThatWasFoundAfterAKillIsKept) {
  std::mt19937_64 random(6);
  const State records = RandomRecords(&random, 500);
  size_t found = 0;
  for (uint64_t killed = 0;; ++killed) {
    FaultEnv env;
    OrderMonitor monitor(&env, kPath);
    bool acknowledged = false;
    {
      const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(monitor.env()), kPath);
      ASSERT_TRUE(db.ok()) << db.status();
      ASSERT_EQ((*db)->Put("a", "1", {.sync = true}), absl::OkStatus());
      ASSERT_EQ((*db)->Checkpoint(), absl::OkStatus());
      env.AddRule(
          {.matches = [](FileOp op, std::string_view) { return IsNumbered(op); }, .skip = killed});
      acknowledged = (*db)->BulkLoad(SourceOf(records)).ok();
    }
    env.ClearRules();
    State seen;
    {
      const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(monitor.env()), kPath);
      ASSERT_TRUE(db.ok()) << db.status();
      seen = ReadAll(**db);
      ASSERT_EQ((*db)->Put("b", "1", {.sync = true}), absl::OkStatus());
      env.CutPowerAt(0);
    }
    ASSERT_EQ(monitor.failure(), "") << "killed before operation " << killed;
    seen["b"] = "1";
    FaultEnv after(env.SyncedImage());
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(&after), kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE(ReadAll(**db) == seen) << "killed before operation " << killed;
    found += seen.size() > 2 ? 1 : 0;
    if (acknowledged) break;
  }
  EXPECT_GT(found, 1u);
}

// A power cut before operation `cut` of a load, and what is found after it.
TEST(BulkLoadCrashTest, APowerCutAtAnyOperationLeavesAllOfItOrNothing) {
  const State before = {{"a", "1"}, {"key1", "old"}};
  std::mt19937_64 random(4);
  const State records = RandomRecords(&random, 1500);
  const State after = Replaced(before, records);
  size_t with = 0;
  size_t without = 0;
  for (uint64_t cut = 0;; ++cut) {
    SCOPED_TRACE("cut before operation " + std::to_string(cut));
    FaultEnv env;
    OrderMonitor monitor(&env, kPath);
    bool acknowledged = false;
    {
      const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(monitor.env()), kPath);
      ASSERT_TRUE(db.ok()) << db.status();
      for (const auto& [key, value] : before) {
        ASSERT_EQ((*db)->Put(key, value, {.sync = true}), absl::OkStatus());
      }
      env.CutPowerAt(env.OperationCount() + cut);
      acknowledged = (*db)->BulkLoad(SourceOf(records)).ok();
      if (!env.PowerIsCut()) env.CutPowerAt(0);
    }
    ASSERT_EQ(monitor.failure(), "");
    for (uint64_t i = 0; i < 4; ++i) {
      RandomChooser chooser(cut * 4 + i);
      FaultEnv image(env.CrashImage(&chooser));
      const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(SmallOptions(&image), kPath);
      ASSERT_TRUE(db.ok()) << db.status();
      const bool loaded = ReadAll(**db) == after;
      ASSERT_TRUE(loaded || (!acknowledged && ReadAll(**db) == before));
      ASSERT_EQ((*db)->Verify(), absl::OkStatus());
      ++(loaded ? with : without);
    }
    if (acknowledged) break;
  }
  EXPECT_GT(with, 0u);
  EXPECT_GT(without, 20u);
}

}  // namespace
}  // namespace emdb
