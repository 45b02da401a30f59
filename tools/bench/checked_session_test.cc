#include "tools/bench/checked_session.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/map_engine.h"

namespace emdb::bench {
namespace {

using ::testing::HasSubstr;

class CheckedSessionTest : public ::testing::Test {
 protected:
  CheckedSessionTest()
      : dataset_({.key_order = KeyOrder::kAscending,
                  .key_bytes = 16,
                  .value_bytes = 100,
                  .capacity = 100}),
        engine_(*MapEngineInfo(Defect::kNone).open({})),
        raw_(*engine_->NewSession()),
        checked_(*engine_->NewSession(), &dataset_) {}

  // Behind the back of the checked session.
  void PutVersion(uint64_t id, uint8_t version) {
    std::string key;
    std::string value;
    EXPECT_TRUE(raw_->Put(dataset_.Key(id, &key), dataset_.Value(id, version, &value),
                          Durability::kUnsynced)
                    .ok());
  }

  Dataset dataset_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Session> raw_;
  CheckedSession checked_;
};

TEST_F(CheckedSessionTest, WhatWasWrittenIsAccepted) {
  ASSERT_TRUE(checked_.Put(1, Durability::kSynced).ok());
  ASSERT_TRUE(checked_.Put(1, Durability::kUnsynced).ok());
  EXPECT_EQ(dataset_.version(1), 2);
  EXPECT_TRUE(checked_.Get(1).ok());
  EXPECT_TRUE(checked_.Get(2).ok()) << "absent, as it should be";
  EXPECT_TRUE(checked_.GetMissing(1).ok());
  ASSERT_TRUE(checked_.Delete(1, Durability::kUnsynced).ok());
  EXPECT_TRUE(checked_.Get(1).ok());
}

TEST_F(CheckedSessionTest, AnOldValueIsRefused) {
  ASSERT_TRUE(checked_.Put(1, Durability::kUnsynced).ok());
  ASSERT_TRUE(checked_.Put(1, Durability::kUnsynced).ok());
  PutVersion(1, 1);
  EXPECT_EQ(checked_.Get(1).code(), absl::StatusCode::kDataLoss);
}

TEST_F(CheckedSessionTest, WhileARecordIsWrittenTheNextVersionIsAcceptedButNoOlderOne) {
  dataset_.set_version(1, 5);
  PutVersion(1, 5);
  EXPECT_TRUE(checked_.GetWhileWritten(1).ok());
  PutVersion(1, 6);
  EXPECT_TRUE(checked_.GetWhileWritten(1).ok());
  PutVersion(1, 4);
  EXPECT_FALSE(checked_.GetWhileWritten(1).ok());
  PutVersion(1, 7);
  EXPECT_FALSE(checked_.GetWhileWritten(1).ok()) << "was never written";
  dataset_.set_version(2, 1);
  EXPECT_FALSE(checked_.GetWhileWritten(2).ok()) << "is not there";
}

TEST_F(CheckedSessionTest, ARecordThatShouldBeGoneIsRefused) {
  PutVersion(3, 1);
  EXPECT_THAT(std::string(checked_.Get(3).message()), HasSubstr("must not be there"));
  EXPECT_THAT(std::string(checked_.ScanAll(/*forward=*/true).status().message()),
              HasSubstr("must not be there"));
}

TEST_F(CheckedSessionTest, AForeignKeyInAScanIsRefused) {
  ASSERT_TRUE(raw_->Put("foreign", "value", Durability::kUnsynced).ok());
  EXPECT_THAT(std::string(checked_.ScanAll(/*forward=*/false).status().message()),
              HasSubstr("never written"));
}

TEST_F(CheckedSessionTest, BatchesAndMultiGetAgree) {
  const uint64_t ids[] = {4, 5, 6};
  ASSERT_TRUE(checked_.PutBatch(ids, Durability::kUnsynced).ok());
  EXPECT_TRUE(checked_.MultiGet(ids).ok());
  const uint64_t removed[] = {5};
  ASSERT_TRUE(checked_.DeleteBatch(removed, Durability::kUnsynced).ok());
  EXPECT_TRUE(checked_.MultiGet(ids).ok());
  PutVersion(6, 9);
  EXPECT_FALSE(checked_.MultiGet(ids).ok());
}

class SeekLogTest : public ::testing::Test {
 protected:
  SeekLogTest()
      : dataset_({.key_order = KeyOrder::kAscending,
                  .key_bytes = 16,
                  .value_bytes = 1,
                  .capacity = 100}) {
    log_.Begin(/*target_id=*/10, /*rows=*/3);
  }

  absl::Status Verify() const { return log_.Verify(dataset_, {10, 20, 30, 40}); }

  Dataset dataset_;
  SeekLog log_;
};

TEST_F(SeekLogTest, AcceptsTheTargetAndThoseBehindIt) {
  for (const uint64_t id : {10, 20, 30}) log_.Add(id);
  log_.Begin(30, 3);
  for (const uint64_t id : {30, 40}) log_.Add(id);
  EXPECT_TRUE(Verify().ok()) << "the second one ends with the data";
}

TEST_F(SeekLogTest, AcceptsNewRecordsBetweenTheOldOnes) {
  for (const uint64_t id : {10, 15, 20}) log_.Add(id);
  EXPECT_TRUE(Verify().ok());
}

TEST_F(SeekLogTest, RefusesAGap) {
  for (const uint64_t id : {10, 30, 40}) log_.Add(id);
  EXPECT_THAT(std::string(Verify().message()), HasSubstr("row 1 is record 30, expected record 20"));
}

TEST_F(SeekLogTest, RefusesAWrongStart) {
  for (const uint64_t id : {20, 30, 40}) log_.Add(id);
  EXPECT_FALSE(Verify().ok());
}

TEST_F(SeekLogTest, RefusesAnEarlyEnd) {
  for (const uint64_t id : {10, 20}) log_.Add(id);
  EXPECT_THAT(std::string(Verify().message()), HasSubstr("ended after 2 rows"));
}

TEST_F(SeekLogTest, RefusesRowsBehindTheLast) {
  log_.Begin(40, 3);
  for (const uint64_t id : {40, 10}) log_.Add(id);
  EXPECT_FALSE(Verify().ok());
}

}  // namespace
}  // namespace emdb::bench
