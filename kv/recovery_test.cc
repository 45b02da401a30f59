// LogRedo: what becomes of the records of a log, in memtables that they just fit into or do not.

#include "kv/recovery.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/db.h"
#include "kv/split_batch.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/redo.emdb";

Options SmallOptions(Env* env) {
  Options options;
  options.env = env;
  options.memtable_size = 1 << 20;
  options.cache_size = 1 << 20;
  return options;
}

// The smallest records whose keys come in order: nothing weighs as little beside its share of the
// memtable's nodes.
std::string KeyOf(uint64_t i) {
  char key[16];
  std::snprintf(key, sizeof(key), "%08llu", static_cast<unsigned long long>(i));
  return key;
}

std::string BatchOf(std::string_view key, std::string_view value) {
  WriteBatch batch;
  batch.Put(key, value);
  return std::string(batch.encoded());
}

class LogRedoTest : public testing::Test {
 protected:
  LogRedoTest()
      : options_(SmallOptions(&env_)),
        redo_(options_, std::make_shared<ArenaPool>(MemtableCapacity(options_.memtable_size))) {}

  void Redo(std::string_view batch, size_t max_record_bytes) {
    const absl::StatusOr<uint64_t> last = AppendInParts(
        batch, max_record_bytes, [&](std::string_view record) -> absl::StatusOr<uint64_t> {
          const absl::Status status = redo_.Add(seq_, record);
          if (!status.ok()) return status;
          return seq_++;
        });
    ASSERT_TRUE(last.ok()) << last.status();
  }

  RedoneLog Finish() {
    PageStoreOptions store_options;
    store_options.env = &env_;
    store_ = *PageStore::Open(kPath, store_options);
    absl::StatusOr<RedoneLog> redone = redo_.Finish(store_.get());
    EXPECT_TRUE(redone.ok()) << redone.status();
    return *std::move(redone);
  }

  FaultEnv env_;
  Options options_;
  LogRedo redo_;
  uint64_t seq_ = 0;
  std::unique_ptr<PageStore> store_;
};

TEST_F(LogRedoTest, MemtablesOfTheSmallestRecordsHaveRoomForTheirIndexes) {
  options_.read_only = true;  // all of them stay in memory
  constexpr uint64_t kKeys = 200'000;
  for (uint64_t i = 0; i < kKeys; ++i) Redo(BatchOf(KeyOf(i), ""), SIZE_MAX);
  const RedoneLog redone = Finish();
  uint64_t keys = redone.state.active->key_count();
  for (const std::shared_ptr<Memtable>& table : redone.state.frozen) {
    keys += table->key_count();
    EXPECT_LE(table->memory_bytes(), options_.memtable_size + Memtable::RoomFor(1, 16));
  }
  EXPECT_EQ(keys, kKeys);
  EXPECT_GT(redone.state.frozen.size(), 5u);
}

TEST_F(LogRedoTest, AMemtableNeverEndsBetweenThePartsOfABatch) {
  Redo(BatchOf("first", "1"), SIZE_MAX);
  const std::string large(options_.memtable_size * 2, 'v');
  Redo(BatchOf("large", large), large.size());  // two records, 1 and 2
  Redo(BatchOf("last", "1"), SIZE_MAX);
  ASSERT_EQ(seq_, 4u);
  const RedoneLog redone = Finish();
  // What is redone once more begins at one of these, or at 0.
  std::vector<uint64_t> ends = {redone.state.tree.next_seq()};
  for (const std::shared_ptr<Memtable>& table : redone.state.frozen) {
    ends.push_back(table->end_seq());
  }
  EXPECT_EQ(ends, (std::vector<uint64_t>{1, 3}));
}

TEST(RecoveryTest, ALogOfManySmallRecordsIsRedoneWithASmallerMemtable) {
  constexpr uint64_t kKeys = 60'000;
  DiskImage image;
  {
    FaultEnv env;
    Options options = SmallOptions(&env);
    options.memtable_size = 16 << 20;
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    for (uint64_t i = 0; i < kKeys; ++i) ASSERT_TRUE((*db)->Put(KeyOf(i), "").ok());
    image = env.FullImage();
  }
  for (const bool read_only : {true, false}) {
    FaultEnv env(image);
    Options options = SmallOptions(&env);
    options.read_only = read_only;
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    const std::unique_ptr<Iterator> it = (*db)->NewIterator();
    uint64_t found = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) ASSERT_EQ(it->key(), KeyOf(found++));
    EXPECT_EQ(found, kKeys);
  }
}

// What a merge at open does to damage, or to a full disk, must not keep the rest from being read.
class MergeAtOpenTest : public testing::Test {
 protected:
  static constexpr int kKeys = 4000;

  static std::string ValueOf(std::string_view what, int i) {
    return std::string(what) + KeyOf(static_cast<uint64_t>(i)) + std::string(500, 'v');
  }

  // A tree, and a log that changes all of it, more than fits into two memtables of OpenAgain.
  MergeAtOpenTest() {
    FaultEnv env;
    Options options = SmallOptions(&env);
    options.memtable_size = 16 << 20;
    const absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
    EXPECT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < kKeys; ++i) Put(db->get(), "tree", i);
    EXPECT_TRUE((*db)->Checkpoint().ok());
    // All but the keys behind, so that some leaves are read from the tree alone.
    for (int i = 0; i < kKeys - 500; ++i) Put(db->get(), "log", i);
    image_ = env.FullImage();
  }
  static void Put(Db* db, std::string_view what, int i) {
    EXPECT_TRUE(db->Put(KeyOf(static_cast<uint64_t>(i)), ValueOf(what, i)).ok());
  }

  absl::StatusOr<std::unique_ptr<Db>> OpenAgain(FaultEnv* env) {
    Options options = SmallOptions(env);
    options.memtable_size = 256 << 10;
    return Db::Open(options, kPath);
  }

  static void ExpectAllReadable(const Db& db) {
    std::string value;
    for (int i = 0; i < kKeys; ++i) {
      const std::string_view what = i < kKeys - 500 ? "log" : "tree";
      ASSERT_EQ(db.Get(KeyOf(static_cast<uint64_t>(i)), &value), absl::OkStatus()) << i;
      ASSERT_EQ(value, ValueOf(what, i));
    }
  }

  DiskImage image_;
};

TEST_F(MergeAtOpenTest, ADamagedLeafRefusesWritesNotTheOpen) {
  SparseBytes& file = image_.files[kPath];
  const std::string bytes = file.Read(0, file.size());
  const size_t at = bytes.find(ValueOf("tree", 2000));
  ASSERT_NE(at, std::string::npos);
  file.Write(at + 20, "x");
  FaultEnv env(image_);
  const absl::StatusOr<std::unique_ptr<Db>> db = OpenAgain(&env);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_FALSE((*db)->Checkpoint().ok());
  const absl::Status refused = (*db)->Put("key", "value");
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_NE(refused.message().find(kPath), absl::string_view::npos) << refused;
  ASSERT_NO_FATAL_FAILURE(ExpectAllReadable(**db));
}

TEST_F(MergeAtOpenTest, AFullDiskHeals) {
  FaultEnv env(image_);
  std::atomic<bool> is_full{false};
  FaultRule rule;
  rule.matches = [&is_full](FileOp op, std::string_view path) {
    return is_full && (op == FileOp::kWrite || op == FileOp::kReserve) && path == kPath;
  };
  rule.error_number = ENOSPC;
  env.AddRule(std::move(rule));
  // The first sync is that of the header that was found, whose place is its own.
  env.SetObserver([&is_full](const FaultEnv::TraceEntry& entry) {
    if (entry.op == FileOp::kSyncData && entry.path == kPath) is_full = true;
  });
  const absl::StatusOr<std::unique_ptr<Db>> db = OpenAgain(&env);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE(is_full);
  EXPECT_GT((*db)->GetStats().frozen_memtables, 2u);
  ASSERT_NO_FATAL_FAILURE(ExpectAllReadable(**db));
  env.SetObserver(nullptr);
  env.ClearRules();
  ASSERT_EQ((*db)->Checkpoint(), absl::OkStatus());
  EXPECT_EQ((*db)->GetStats().frozen_memtables, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectAllReadable(**db));
  EXPECT_EQ((*db)->Verify(), absl::OkStatus());
}

}  // namespace
}  // namespace emdb
