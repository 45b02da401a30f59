#include "kv/commit_model.h"

#include "gtest/gtest.h"

namespace emdb {
namespace {

using Loss = CommitModel::Loss;
using Outcome = CommitModel::Outcome;

// What a database that holds `contents` shows.
Observation Showing(const Contents& contents) {
  Observation observation;
  observation.present = contents;
  for (const char* key : {"a", "b", "c"}) {
    if (!contents.contains(key)) observation.absent.insert(key);
  }
  return observation;
}

// Three commits, the first of them durable.
CommitModel ThreeCommits() {
  CommitModel model;
  model.Record({{"a", "1"}}, Outcome::kDurable);
  model.Record({{"b", "2"}}, Outcome::kAcknowledged);
  model.Record({{"a", std::nullopt}, {"c", "3"}}, Outcome::kAcknowledged);
  return model;
}

bool Allows(CommitModel model, const Contents& found, Loss loss) {
  return model.Reopened(Showing(found), loss).empty();
}

TEST(CommitModelTest, RunningDatabaseShowsEverythingAcknowledged) {
  EXPECT_EQ(ThreeCommits().visible(), (Contents{{"b", "2"}, {"c", "3"}}));
}

TEST(CommitModelTest, PowerCutLeavesAPrefixWithAllThatIsDurable) {
  const CommitModel model = ThreeCommits();
  EXPECT_TRUE(Allows(model, {{"b", "2"}, {"c", "3"}}, Loss::kWhatIsNotDurable));
  EXPECT_TRUE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kWhatIsNotDurable));
  EXPECT_TRUE(Allows(model, {{"a", "1"}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, LostDurableWriteIsFound) {
  EXPECT_FALSE(Allows(ThreeCommits(), {}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, HoleInTheOrderIsFound) {
  EXPECT_FALSE(Allows(ThreeCommits(), {{"c", "3"}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, HalfABatchIsFound) {
  const CommitModel model = ThreeCommits();
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"b", "2"}, {"c", "3"}}, Loss::kWhatIsNotDurable));
  EXPECT_FALSE(Allows(model, {{"b", "2"}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, WrongAndInventedValuesAreFound) {
  const CommitModel model = ThreeCommits();
  EXPECT_FALSE(Allows(model, {{"a", "7"}}, Loss::kWhatIsNotDurable));
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"x", ""}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, KillTakesNothing) {
  const CommitModel model = ThreeCommits();
  EXPECT_TRUE(Allows(model, {{"b", "2"}, {"c", "3"}}, Loss::kNothing));
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kNothing));
}

TEST(CommitModelTest, FlushMakesEverythingDurable) {
  CommitModel model = ThreeCommits();
  model.MarkDurable();
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, FailedWriteMayBeFoundAtItsPlaceOrNot) {
  CommitModel model;
  model.Record({{"a", "1"}}, Outcome::kUncertain);
  model.Record({{"b", "2"}}, Outcome::kDurable);
  EXPECT_EQ(model.visible(), (Contents{{"b", "2"}}));
  EXPECT_TRUE(Allows(model, {{"b", "2"}}, Loss::kNothing));
  EXPECT_TRUE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kNothing));
  EXPECT_FALSE(Allows(model, {{"a", "1"}}, Loss::kNothing));
  model.Record({{"a", "3"}}, Outcome::kDurable);
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kNothing));
}

TEST(CommitModelTest, WhatWasFoundOnceStays) {
  CommitModel model = ThreeCommits();
  ASSERT_EQ(model.Reopened(Showing({{"a", "1"}}), Loss::kWhatIsNotDurable), "");
  EXPECT_EQ(model.visible(), (Contents{{"a", "1"}}));
  EXPECT_FALSE(Allows(model, {}, Loss::kWhatIsNotDurable));
  EXPECT_FALSE(Allows(model, {{"a", "1"}, {"b", "2"}}, Loss::kWhatIsNotDurable));
}

TEST(CommitModelTest, ContradictionIsAlwaysFound) {
  Observation found = Showing({{"b", "2"}, {"c", "3"}});
  found.contradiction = "two states";
  EXPECT_NE(ThreeCommits().Reopened(found, Loss::kNothing), "");
}

}  // namespace
}  // namespace emdb
