// What every engine must do the same, or its figures mean something else.

#include "tools/bench/engines.h"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/status.h"
#include "tools/bench/sync_counter.h"

namespace emdb::bench {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> EngineNames() {
  std::vector<std::string> names;
  for (const EngineInfo& engine : AllEngines()) names.push_back(engine.name);
  return names;
}

EngineInfo FindEngine(const std::string& name) {
  for (EngineInfo& engine : AllEngines()) {
    if (engine.name == name) return std::move(engine);
  }
  return {};
}

class EngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  EngineTest() : directory_(::testing::TempDir() + "/engine." + GetParam()) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    Open();
  }

  ~EngineTest() override {
    session_.reset();
    EXPECT_TRUE(engine_->Close().ok());
    engine_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Open() {
    const EngineOptions options{.directory = directory_,
                                .cache_bytes = uint64_t{8} << 20,
                                .write_buffer_bytes = uint64_t{4} << 20};
    absl::StatusOr<std::unique_ptr<Engine>> engine = FindEngine(GetParam()).open(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    session_ = *engine_->NewSession();
  }

  void Put(const std::string& key, const std::string& value) {
    const absl::Status status = session_->Put(key, value, Durability::kUnsynced);
    EXPECT_TRUE(status.ok()) << status;
  }

  std::string Get(const std::string& key) {
    std::string value;
    const absl::Status status = session_->Get(key, &value);
    if (absl::IsNotFound(status)) return "not found";
    return status.ok() ? value : status.ToString();
  }

  std::vector<std::string> Walk(bool forward) {
    std::vector<std::string> keys;
    const std::unique_ptr<Cursor> cursor = session_->NewCursor();
    for (forward ? cursor->SeekToFirst() : cursor->SeekToLast(); cursor->Valid();
         forward ? cursor->Next() : cursor->Prev()) {
      keys.emplace_back(cursor->key());
      EXPECT_EQ(cursor->value(), "value of " + keys.back());
    }
    EXPECT_TRUE(cursor->status().ok()) << cursor->status();
    return keys;
  }

  const std::string directory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Session> session_;
};

TEST_P(EngineTest, PutsAreReadUntilTheyAreDeleted) {
  EXPECT_EQ(Get("a"), "not found");
  Put("a", "1");
  EXPECT_EQ(Get("a"), "1");
  Put("a", "");
  EXPECT_EQ(Get("a"), "");
  ASSERT_TRUE(session_->Delete("a", Durability::kSynced).ok());
  EXPECT_EQ(Get("a"), "not found");
  EXPECT_TRUE(session_->Delete("a", Durability::kUnsynced).ok()) << "of what is not there";
}

TEST_P(EngineTest, ABatchIsAppliedInOrder) {
  Put("old", "1");
  const WriteOperation operations[] = {{"a", "1"}, {"old", std::nullopt}, {"b", "1"}, {"b", "2"}};
  ASSERT_TRUE(session_->Write(operations, Durability::kSynced).ok());
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "2");
  EXPECT_EQ(Get("old"), "not found");
}

TEST_P(EngineTest, CursorsWalkBothWaysInKeyOrder) {
  for (const char* key : {"b", "a", "d", "c"}) Put(key, std::string("value of ") + key);
  EXPECT_THAT(Walk(/*forward=*/true), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Walk(/*forward=*/false), ElementsAre("d", "c", "b", "a"));
}

TEST_P(EngineTest, SeekFindsTheFirstKeyAtOrBehind) {
  for (const char* key : {"b", "d"}) Put(key, "x");
  const std::unique_ptr<Cursor> cursor = session_->NewCursor();
  cursor->Seek("b");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), "b");
  cursor->Seek("c");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->key(), "d");
  cursor->Next();
  EXPECT_FALSE(cursor->Valid());
  cursor->Seek("e");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(cursor->status().ok());
}

TEST_P(EngineTest, EachCursorSeesWhatWasWrittenBeforeIt) {
  Put("a", "1");
  Put("b", "1");
  for (const std::string value : {"2", "3"}) {
    {
      // Left in the middle of a walk, and two at a time.
      const std::unique_ptr<Cursor> first = session_->NewCursor();
      const std::unique_ptr<Cursor> second = session_->NewCursor();
      first->Seek("a");
      second->SeekToLast();
      ASSERT_TRUE(first->Valid() && second->Valid());
      EXPECT_EQ(first->key(), "a");
      EXPECT_EQ(second->key(), "b");
    }
    Put("a", value);
    const std::unique_ptr<Cursor> cursor = session_->NewCursor();
    cursor->SeekToFirst();
    ASSERT_TRUE(cursor->Valid());
    EXPECT_EQ(cursor->value(), value);
    cursor->Seek("b");
    ASSERT_TRUE(cursor->Valid());
    EXPECT_EQ(cursor->key(), "b");
  }
}

TEST_P(EngineTest, AnEmptyStoreHasNothingToWalk) {
  EXPECT_THAT(Walk(/*forward=*/true), ElementsAre());
  EXPECT_THAT(Walk(/*forward=*/false), ElementsAre());
  EXPECT_EQ(*engine_->Count(), 0);
}

TEST_P(EngineTest, MultiGetReturnsEachKeysOwnResult) {
  Put("a", "1");
  Put("c", "3");
  std::vector<std::string> values = {"left", "over", "from", "before"};
  std::vector<absl::Status> statuses;
  const std::string_view keys[] = {"c", "b", "a"};
  session_->MultiGet(keys, &values, &statuses);
  ASSERT_EQ(values.size(), 3);
  ASSERT_EQ(statuses.size(), 3);
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_EQ(values[0], "3");
  EXPECT_TRUE(absl::IsNotFound(statuses[1]));
  EXPECT_EQ(values[2], "1");
}

TEST_P(EngineTest, WhatWasLoadedIsThereAfterAReopenSettleAndCompaction) {
  constexpr int kRecords = 2500;
  std::string key;
  std::string value;
  int loaded = 0;
  const auto next = [&](std::string_view* next_key, std::string_view* next_value) {
    if (loaded == kRecords) return false;
    // Not in key order.
    key = std::to_string(loaded * 7919 % kRecords);
    value = "value of " + key;
    ++loaded;
    *next_key = key;
    *next_value = value;
    return true;
  };
  session_.reset();
  ASSERT_TRUE(engine_->Load(next).ok());
  ASSERT_TRUE(engine_->Settle().ok());
  EXPECT_EQ(*engine_->Count(), kRecords);
  ASSERT_TRUE(engine_->Close().ok());
  engine_.reset();
  Open();
  EXPECT_EQ(Walk(/*forward=*/true).size(), kRecords);
  session_.reset();
  const absl::Status compacted = engine_->Compact();
  ASSERT_TRUE(compacted.ok()) << compacted;
  session_ = *engine_->NewSession();
  EXPECT_EQ(Walk(/*forward=*/true).size(), kRecords);
  EXPECT_EQ(Get("1234"), "value of 1234");
}

// Larger than the write buffer, and than one of LMDB's transactions.
TEST_P(EngineTest, ALargeLoadIsWhole) {
  constexpr int kRecords = 2500;
  const std::string value(2000, 'v');
  std::string key;
  int loaded = 0;
  const auto next = [&](std::string_view* next_key, std::string_view* next_value) {
    if (loaded == kRecords) return false;
    key = std::to_string(loaded++);
    *next_key = key;
    *next_value = value;
    return true;
  };
  session_.reset();
  ASSERT_TRUE(engine_->Load(next).ok());
  EXPECT_EQ(*engine_->Count(), kRecords);
  session_ = *engine_->NewSession();
  for (int i = 0; i < kRecords; ++i) ASSERT_EQ(Get(std::to_string(i)), value) << i;
}

TEST_P(EngineTest, SyncedWritesSyncAndUnsyncedOnesDoNot) {
  const uint64_t before = CountSyncs();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(session_->Put(std::to_string(i), "x", Durability::kSynced).ok());
  }
  EXPECT_GE(CountSyncs() - before, 20);
  const uint64_t between = CountSyncs();
  for (int i = 0; i < 20; ++i) Put(std::to_string(i), "y");
  EXPECT_LT(CountSyncs() - between, 20);
  EXPECT_TRUE(engine_->Flush().ok());
}

TEST_P(EngineTest, ThreadsWorkThroughSessionsOfTheirOwn) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::vector<absl::Status> statuses(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, status = &statuses[t]] {
      const std::unique_ptr<Session> session = *engine_->NewSession();
      std::string value;
      for (int i = 0; i < 50 && status->ok(); ++i) {
        const std::string key = std::to_string(t) + "." + std::to_string(i);
        *status = session->Put(key, key, i % 10 == 0 ? Durability::kSynced : Durability::kUnsynced);
        if (status->ok()) *status = session->Get(key, &value);
        if (status->ok() && value != key) *status = absl::DataLossError(key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(*engine_->Count(), 200);
}

INSTANTIATE_TEST_SUITE_P(All, EngineTest, ::testing::ValuesIn(EngineNames()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace emdb::bench
