// PinnedValue: what Get reads in place.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/db.h"
#include "pagestore/pinned_value.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/test.emdb";
constexpr int kKeys = 2000;

std::string KeyAt(int i) { return absl::StrCat("key", 100000 + i); }
std::string ValueAt(int i) { return absl::StrCat(i, std::string(1000, 'v')); }

// Every test runs on a store with files and on one in memory, whose cache does not hold it all.
class DbPinnedValueTest : public testing::TestWithParam<bool> {
 protected:
  DbPinnedValueTest() {
    Options options;
    options.env = GetParam() ? nullptr : &env_;
    options.memtable_size = 4 << 20;
    options.cache_size = 1 << 20;
    db_ = GetParam() ? Db::OpenInMemory(options).value() : Db::Open(options, kPath).value();
    for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(db_->Put(KeyAt(i), ValueAt(i)).ok());
    EXPECT_TRUE(db_->Checkpoint().ok());
  }

  FaultEnv env_;
  std::unique_ptr<Db> db_;
};

INSTANTIATE_TEST_SUITE_P(Stores, DbPinnedValueTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "InMemory" : "OnDisk"; });

TEST_P(DbPinnedValueTest, IsTheValue) {
  PinnedValue value;
  EXPECT_EQ(value.value(), "");
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(db_->Get(KeyAt(i), &value).ok());
    ASSERT_EQ(value.value(), ValueAt(i));
    ASSERT_TRUE(value.is_pinned());
  }
  value.Reset();
  EXPECT_FALSE(value.is_pinned());
  EXPECT_EQ(value.value(), "");
}

TEST_P(DbPinnedValueTest, WhatIsNotInAPageIsCopied) {
  const std::string large(100'000, 'l');
  ASSERT_TRUE(db_->Put("large", large).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Put("new", "in the memtable").ok());
  PinnedValue value;
  ASSERT_TRUE(db_->Get(KeyAt(1), &value).ok());
  ASSERT_TRUE(db_->Get("large", &value).ok());
  EXPECT_EQ(value.value(), large);
  EXPECT_FALSE(value.is_pinned());
  ASSERT_TRUE(db_->Get(KeyAt(1), &value).ok());
  ASSERT_TRUE(db_->Get("new", &value).ok());
  EXPECT_EQ(value.value(), "in the memtable");
  EXPECT_FALSE(value.is_pinned());
}

TEST_P(DbPinnedValueTest, OfAMissingKeyIsLetGo) {
  ASSERT_TRUE(db_->Delete(KeyAt(2)).ok());
  PinnedValue value;
  for (const std::string& key : {KeyAt(2), std::string("missing")}) {
    ASSERT_TRUE(db_->Get(KeyAt(1), &value).ok());
    EXPECT_EQ(db_->Get(key, &value).code(), absl::StatusCode::kNotFound);
    EXPECT_FALSE(value.is_pinned());
  }
  EXPECT_EQ(db_->Get("", &value).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(DbPinnedValueTest, ReadsASnapshot) {
  const Snapshot snapshot = db_->GetSnapshot();
  ASSERT_TRUE(db_->Put(KeyAt(1), "new").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  PinnedValue value;
  ASSERT_TRUE(db_->Get(KeyAt(1), &value, {.snapshot = &snapshot}).ok());
  EXPECT_EQ(value.value(), ValueAt(1));
  ASSERT_TRUE(db_->Get(KeyAt(1), &value).ok());
  EXPECT_EQ(value.value(), "new");
}

TEST_P(DbPinnedValueTest, StaysAsItWasWhileTheDatabaseChanges) {
  PinnedValue value;
  ASSERT_TRUE(db_->Get(KeyAt(7), &value).ok());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(db_->Put(KeyAt(i), std::string(900, 'n')).ok());
    ASSERT_TRUE(db_->Compact().ok());
  }
  EXPECT_EQ(value.value(), ValueAt(7));
  PinnedValue moved = std::move(value);
  EXPECT_EQ(moved.value(), ValueAt(7));
}

TEST_P(DbPinnedValueTest, OutlivesTheDatabase) {
  PinnedValue pinned;
  PinnedValue copied;
  ASSERT_TRUE(db_->Put("new", "in the memtable").ok());
  ASSERT_TRUE(db_->Get(KeyAt(7), &pinned).ok());
  ASSERT_TRUE(db_->Get("new", &copied).ok());
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_EQ(pinned.value(), ValueAt(7));
  db_.reset();
  EXPECT_EQ(pinned.value(), ValueAt(7));
  EXPECT_EQ(copied.value(), "in the memtable");
}

TEST_P(DbPinnedValueTest, TakesThePlaceOfOneWhoseDatabaseIsGone) {
  auto other = Db::OpenInMemory().value();
  ASSERT_TRUE(other->Put("key", "other value").ok());
  ASSERT_TRUE(other->Checkpoint().ok());
  PinnedValue value;
  ASSERT_TRUE(db_->Get(KeyAt(7), &value).ok());
  db_.reset();
  PinnedValue next;
  ASSERT_TRUE(other->Get("key", &next).ok());
  value = std::move(next);
  EXPECT_EQ(value.value(), "other value");
}

TEST_P(DbPinnedValueTest, MayTakeAllFramesOfTheCache) {
  std::vector<PinnedValue> values(kKeys);
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(db_->Get(KeyAt(i), &values[i]).ok());
  ASSERT_TRUE(db_->Put("more", "value").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  std::string value;
  ASSERT_TRUE(db_->Get("more", &value).ok());
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(values[i].value(), ValueAt(i));
}

TEST_P(DbPinnedValueTest, ThreadsPinWhileFramesAreReusedAndPagesRewritten) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([this, t, &stop] {
      std::vector<PinnedValue> values(8);
      for (int i = t; !stop; i = (i + 97) % kKeys) {
        PinnedValue& value = values[i % values.size()];
        ASSERT_TRUE(db_->Get(KeyAt(i), &value).ok());
        ASSERT_EQ(value.value(), ValueAt(i));
        for (const PinnedValue& other : values) {
          ASSERT_TRUE(other.value().empty() || other.value().size() > 1000);
        }
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kKeys; i += 3) ASSERT_TRUE(db_->Put(KeyAt(i), ValueAt(i)).ok());
    ASSERT_TRUE(db_->Checkpoint().ok());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace emdb
