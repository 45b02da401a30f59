// What a Db does when the disk fails: full disks, failed writes, failed syncs, damaged files.

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/fault.emdb";

class DbFaultTest : public testing::Test {
 protected:
  DbFaultTest() { UseDisk(DiskImage()); }

  void UseDisk(const DiskImage& image) {
    db_.reset();
    env_ = std::make_unique<FaultEnv>(image);
    options_.env = env_.get();
    options_.flush_policy = FlushPolicy::Manual();
    options_.memtable_size = 64 << 10;
    options_.cache_size = 1 << 20;
    options_.wal_segment_size = 256 << 10;
    ASSERT_NO_FATAL_FAILURE(Open());
  }

  void Open() {
    auto db = Db::Open(options_, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  std::string Get(std::string_view key) {
    std::string value;
    const absl::Status status = db_->Get(key, &value);
    if (status.ok()) return "=" + value;
    return absl::IsNotFound(status) ? "absent" : status.ToString();
  }

  // Operations of these kinds fail on the log's files, or on the store's.
  void Fail(FileOp op, bool on_log, uint64_t count = UINT64_MAX, int error_number = EIO) {
    FaultRule rule;
    rule.matches = [op, on_log](FileOp found, std::string_view path) {
      const bool is_log = path.find(".wal") != std::string_view::npos;
      return found == op && is_log == on_log;
    };
    rule.count = count;
    rule.error_number = error_number;
    rule.drop_unsynced = true;
    env_->AddRule(std::move(rule));
  }

  std::unique_ptr<FaultEnv> env_;
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(DbFaultTest, AFailedSyncPoisonsAndWhatFailedIsNotVisible) {
  ASSERT_TRUE(db_->Put("durable", "1", {.sync = true}).ok());
  ASSERT_TRUE(db_->Put("key", "old", {.sync = true}).ok());
  Fail(FileOp::kSyncData, /*on_log=*/true, /*count=*/1);
  WriteBatch batch;
  batch.Put("key", "failed");
  batch.Put("new", "failed");
  batch.Delete("durable");
  const absl::Status failed = db_->Write(batch, {.sync = true});
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(Get("key"), "=old");
  EXPECT_EQ(Get("new"), "absent");
  EXPECT_EQ(Get("durable"), "=1");
  // The next sync would say OK: nobody believes it.
  const absl::Status later = db_->Put("later", "1");
  EXPECT_EQ(later.code(), absl::StatusCode::kFailedPrecondition) << later;
  EXPECT_EQ(db_->Put("later", "1", {.sync = true}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(db_->Checkpoint().ok());
  EXPECT_FALSE(db_->Flush().ok());
  EXPECT_EQ(Get("durable"), "=1");
  EXPECT_FALSE(db_->Close().ok());
  UseDisk(env_->SyncedImage());
  EXPECT_EQ(Get("durable"), "=1");
  EXPECT_EQ(Get("key"), "=old");
}

// Its sync runs while it is being inserted, and may be over before.
TEST_F(DbFaultTest, ALongBatchWhoseSyncFailedIsNotVisible) {
  constexpr int kOperations = 1000;
  for (const bool fails : {false, true}) {
    if (fails) Fail(FileOp::kSyncData, /*on_log=*/true, /*count=*/1);
    WriteBatch batch;
    const std::string value = fails ? "failed" : "written";
    for (int i = 0; i < kOperations; ++i) batch.Put("key" + std::to_string(i), value);
    batch.Put(value, "");
    EXPECT_EQ(db_->Write(batch, {.sync = true}).ok(), !fails);
    for (int i = 0; i < kOperations; ++i) EXPECT_EQ(Get("key" + std::to_string(i)), "=written");
    EXPECT_EQ(Get(value), fails ? "absent" : "=");
  }
  EXPECT_EQ(db_->Put("later", "1").code(), absl::StatusCode::kFailedPrecondition);
  UseDisk(env_->SyncedImage());
  EXPECT_EQ(Get("key0"), "=written");
  EXPECT_EQ(Get("key" + std::to_string(kOperations - 1)), "=written");
  EXPECT_EQ(Get("failed"), "absent");
}

TEST_F(DbFaultTest, UnsyncedWritesQueuedBehindAFailingSyncAreRefused) {
  ASSERT_TRUE(db_->Put("key0", "old", {.sync = true}).ok());
  Fail(FileOp::kSyncData, /*on_log=*/true, /*count=*/1);
  constexpr uint64_t kWriters = 4;
  const uint64_t all_appended = db_->GetStats().next_seq + 1 + kWriters;
  // The failed sync is not over before all writes are in the log, behind the one that it is for.
  std::atomic<bool> syncing{false};
  env_->SetObserver([this, all_appended, &syncing](const FaultEnv::TraceEntry& entry) {
    if (entry.op != FileOp::kSyncData || entry.ok) return;
    syncing = true;
    while (db_->GetStats().next_seq < all_appended) std::this_thread::yield();
  });
  std::thread synced([this] { EXPECT_FALSE(db_->Put("synced", "1", {.sync = true}).ok()); });
  while (!syncing) std::this_thread::yield();
  std::vector<std::thread> writers;
  for (uint64_t i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, key = "key" + std::to_string(i)] {
      const absl::Status status = db_->Put(key, "failed");
      EXPECT_FALSE(status.ok());
      EXPECT_NE(status.message().find("sync"), absl::string_view::npos) << status;
    });
  }
  synced.join();
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Get("synced"), "absent");
  EXPECT_EQ(Get("key0"), "=old");
  for (uint64_t i = 1; i < kWriters; ++i) EXPECT_EQ(Get("key" + std::to_string(i)), "absent");
  EXPECT_FALSE(db_->Close().ok());
}

TEST_F(DbFaultTest, AnAsyncWriteIsToldOfAFailedSync) {
  Fail(FileOp::kSyncData, /*on_log=*/true, /*count=*/1);
  WriteBatch batch;
  batch.Put("key", "failed");
  std::atomic<int> calls{0};
  db_->WriteAsync(batch, [&calls](const absl::Status& status) {
    EXPECT_FALSE(status.ok());
    calls++;
  });
  EXPECT_FALSE(db_->Flush().ok());
  EXPECT_FALSE(db_->Close().ok());
  EXPECT_EQ(calls, 1);
}

TEST_F(DbFaultTest, AFailedWriteOfTheLogLosesOnlyWhatItWasToldOf) {
  ASSERT_TRUE(db_->Put("before", "1", {.sync = true}).ok());
  Fail(FileOp::kWrite, /*on_log=*/true, /*count=*/1);
  EXPECT_FALSE(db_->Put("key", "failed", {.sync = true}).ok());
  EXPECT_EQ(Get("key"), "absent");
  env_->ClearRules();
  ASSERT_TRUE(db_->Put("after", "1", {.sync = true}).ok());
  EXPECT_EQ(Get("before"), "=1");
  EXPECT_EQ(Get("key"), "absent");
  EXPECT_EQ(Get("after"), "=1");
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(Get("key"), "absent");
  EXPECT_EQ(db_->GetStats().page_store.records, 2u);
}

TEST_F(DbFaultTest, ACheckpointWithoutSpaceIsTriedAgain) {
  ASSERT_TRUE(db_->Put("key", "1", {.sync = true}).ok());
  Fail(FileOp::kWrite, /*on_log=*/false, UINT64_MAX, ENOSPC);
  Fail(FileOp::kReserve, /*on_log=*/false, UINT64_MAX, ENOSPC);
  const absl::Status failed = db_->Checkpoint();
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted) << failed;
  EXPECT_GE(db_->GetStats().checkpoint_failures, 1u);
  EXPECT_EQ(Get("key"), "=1");
  // Writes go on while there is memory for them.
  ASSERT_TRUE(db_->Put("key2", "2", {.sync = true}).ok());
  absl::Status status;
  for (int i = 0; status.ok() && i < 1000; ++i)
    status = db_->Put("more" + std::to_string(i), std::string(1000, 'v'));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(Get("key2"), "=2");
  env_->ClearRules();
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Put("key3", "3", {.sync = true}).ok());
  EXPECT_TRUE(db_->Verify().ok());
  EXPECT_EQ(Get("more0"), "=" + std::string(1000, 'v'));
}

// Making the file shorter when nothing is to be done is an extra that may fail.
TEST_F(DbFaultTest, WritesGoOnWhenTheFileCannotBeMadeShorter) {
  const std::string value(1000, 'v');
  const auto key = [](int i) { return "key" + std::to_string(i); };
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(db_->Put(key(i), value).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int i = 0; i < 1900; ++i) ASSERT_TRUE(db_->Delete(key(i)).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  Fail(FileOp::kWrite, /*on_log=*/false);
  while (db_->GetStats().checkpoint_failures == 0) std::this_thread::yield();
  env_->ClearRules();
  ASSERT_EQ(db_->Put("later", "1", {.sync = true}), absl::OkStatus());
  ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  EXPECT_EQ(Get("later"), "=1");
  EXPECT_EQ(Get(key(1950)), "=" + value);
  EXPECT_EQ(db_->Verify(), absl::OkStatus());
}

TEST_F(DbFaultTest, AFailedSyncOfTheStoreRefusesWritesAndKeepsReading) {
  ASSERT_TRUE(db_->Put("key", "1", {.sync = true}).ok());
  Fail(FileOp::kSyncData, /*on_log=*/false, /*count=*/1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  const absl::Status refused = db_->Put("key2", "2");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_EQ(Get("key"), "=1");
  UseDisk(env_->SyncedImage());
  EXPECT_EQ(Get("key"), "=1");
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_TRUE(db_->Verify().ok());
}

TEST_F(DbFaultTest, AFullDiskRefusesWritesServesReadsAndHeals) {
  ASSERT_TRUE(db_->Put("key", "1", {.sync = true}).ok());
  // What the files have now and a little.
  uint64_t used = 0;
  for (const auto& [path, bytes] : env_->FullImage().files) used += bytes.size();
  env_->SetCapacity(used + (64 << 10));
  absl::Status status;
  int written = 0;
  for (; status.ok() && written < 100000; ++written) {
    status = db_->Put("key" + std::to_string(written), std::string(1000, 'v'), {.sync = true});
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(Get("key"), "=1");
  EXPECT_EQ(Get("key0"), "=" + std::string(1000, 'v'));
  env_->SetCapacity(UINT64_MAX);
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Put("key2", "2", {.sync = true}).ok());
  EXPECT_TRUE(db_->Verify().ok());
  db_.reset();
  ASSERT_NO_FATAL_FAILURE(Open());
  // All but the one that was refused.
  for (int i = 0; i + 1 < written; ++i) ASSERT_NE(Get("key" + std::to_string(i)), "absent") << i;
}

TEST_F(DbFaultTest, DamageInThePagesIsReportedNotServed) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(db_->Put("key" + std::to_string(i), std::string(100, 'v')).ok());
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Close().ok());
  DiskImage image = env_->FullImage();
  SparseBytes& file = image.files[kPath];
  // Every page but the header slots.
  for (uint64_t offset = 2 * 8192; offset < file.size(); offset += 8192) {
    std::string byte = file.Read(offset + 5000, 1);
    byte[0] ^= 1;
    file.Write(offset + 5000, byte);
  }
  env_ = std::make_unique<FaultEnv>(image);
  options_.env = env_.get();
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options_, kPath);
  if (!db.ok()) {
    EXPECT_EQ(db.status().code(), absl::StatusCode::kDataLoss) << db.status();
    return;
  }
  std::string value;
  EXPECT_EQ((*db)->Get("key1", &value).code(), absl::StatusCode::kDataLoss);
  std::unique_ptr<Iterator> it = (*db)->NewIterator();
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(it->status().code(), absl::StatusCode::kDataLoss);
  it.reset();
  EXPECT_EQ((*db)->Verify().code(), absl::StatusCode::kDataLoss);
}

// Not so yet: the second open sees names that the first one's failed sync has made the disk forget,
// takes them for durable, and the log of the store is all that a power cut leaves.
TEST_F(DbFaultTest, DISABLED_AnOpenDoesNotBuildOnNamesThatAFailedSyncForgot) {
  FaultEnv env;
  options_.env = &env;
  FaultRule rule;
  rule.matches = [](FileOp op, std::string_view) { return op == FileOp::kSyncDirectory; };
  rule.count = 1;
  rule.drop_unsynced = true;
  env.AddRule(std::move(rule));
  EXPECT_FALSE(Db::Open(options_, kPath).ok());
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options_, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->Put("key", "1", {.sync = true}), absl::OkStatus());
  FaultEnv after_power_cut(env.SyncedImage());
  options_.env = &after_power_cut;
  db = Db::Open(options_, kPath);
  ASSERT_TRUE(db.ok()) << db.status();
  std::string value;
  EXPECT_EQ((*db)->Get("key", &value), absl::OkStatus());
}

}  // namespace
}  // namespace emdb
