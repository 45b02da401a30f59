// How long the store's file is: space is used again, and the file gets shorter by itself when
// nothing is written.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "storage/fault_env.h"
#include "storage/mutex.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/space.emdb";
constexpr int kRecords = 40000;
constexpr size_t kValueBytes = 100;
constexpr uint64_t kRawBytes = uint64_t{kRecords} * (10 + kValueBytes);

std::string KeyOf(int i) { return "key" + std::to_string(1000000 + i); }

class SpaceTest : public testing::Test {
 protected:
  SpaceTest() { Open(); }

  void Open() {
    db_.reset();
    Options options;
    options.env = &env_;
    options.memtable_size = 8 << 20;
    options.cache_size = 16 << 20;
    absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(options, kPath);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  void PutAll() {
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_EQ(db_->Put(KeyOf(i), std::string(kValueBytes, 'v')), absl::OkStatus());
    }
    ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  }
  void LoadAll() {
    const std::string value(kValueBytes, 'v');
    std::string key;
    int next = 0;
    const auto source = [&](std::string_view* k, std::string_view* v) -> absl::StatusOr<bool> {
      if (next == kRecords) return false;
      key = KeyOf(next++);
      *k = key;
      *v = value;
      return true;
    };
    ASSERT_EQ(db_->BulkLoad(source), absl::OkStatus());
  }
  uint64_t FileBytes() { return env_.FullImage().files.at(kPath).size(); }
  // Returns when the file has been cut to at most `bytes`; never, if that does not come about.
  void WaitUntilCutTo(uint64_t bytes) {
    env_.SetObserver([this](const FaultEnv::TraceEntry& entry) {
      if (entry.op != FileOp::kTruncate || entry.path != kPath) return;
      MutexLock lock(&mutex_);
      cut_.SignalAll();
    });
    MutexLock lock(&mutex_);
    while (FileBytes() > bytes) cut_.Wait(&mutex_);
  }

  FaultEnv env_;
  Mutex mutex_;
  CondVar cut_;
  std::unique_ptr<Db> db_;
};

TEST_F(SpaceTest, TheFileGetsShorterByItselfWhenNothingIsWritten) {
  // The second tree stands behind the first, which then is free.
  PutAll();
  PutAll();
  WaitUntilCutTo(kRawBytes * 125 / 100);
  EXPECT_EQ(db_->Verify(), absl::OkStatus());
  std::string value;
  EXPECT_EQ(db_->Get(KeyOf(kRecords - 1), &value), absl::OkStatus());
}

TEST_F(SpaceTest, WhatIsLoadedAgainTakesTheSpaceOfTheLoadBeforeTheLast) {
  uint64_t longest = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_NO_FATAL_FAILURE(LoadAll());
    longest = std::max(longest, FileBytes());
  }
  EXPECT_LT(longest, kRawBytes * 3);
}

TEST_F(SpaceTest, TheFileGetsShorterByItselfAfterABulkLoad) {
  ASSERT_NO_FATAL_FAILURE(LoadAll());
  // From here on there is no other checkpoint.
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_NO_FATAL_FAILURE(LoadAll());
  WaitUntilCutTo(kRawBytes * 125 / 100);
  EXPECT_EQ(db_->Verify(), absl::OkStatus());
}

TEST_F(SpaceTest, DeletionsGiveSpaceBackByThemselves) {
  PutAll();
  const uint64_t full = FileBytes();
  for (int i = 0; i < kRecords; ++i) {
    if (i % 4 == 0) continue;
    ASSERT_EQ(db_->Delete(KeyOf(i)), absl::OkStatus());
  }
  ASSERT_EQ(db_->Checkpoint(), absl::OkStatus());
  WaitUntilCutTo(full * 40 / 100);
  EXPECT_EQ(db_->Verify(), absl::OkStatus());
  std::string value;
  EXPECT_EQ(db_->Get(KeyOf(4), &value), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(db_->Get(KeyOf(5), &value)));
}

}  // namespace
}  // namespace emdb
