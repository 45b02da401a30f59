#include "wal/failed_groups.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace emdb {
namespace {

TEST(FailedGroupsTest, GroupThatDidNotFailHasNothingToTell) {
  FailedGroups groups;
  EXPECT_FALSE(groups.Any());
  EXPECT_FALSE(groups.Tell(1, 5).has_value());
  groups.Add(2, absl::UnavailableError("write"), 5, 1);
  EXPECT_FALSE(groups.Tell(1, 5).has_value());
  EXPECT_TRUE(groups.Any());
}

TEST(FailedGroupsTest, WhatWasDurableWhenTheGroupFailedIsNoError) {
  FailedGroups groups;
  groups.Add(7, absl::UnavailableError("write"), 10, 2);
  EXPECT_EQ(groups.Tell(7, 9), absl::OkStatus());
  EXPECT_EQ(groups.Tell(7, 10), absl::UnavailableError("write"));
}

TEST(FailedGroupsTest, GroupIsKeptUntilTheLastSleeperWasToldHoweverManyFailMeanwhile) {
  FailedGroups groups;
  groups.Add(1, absl::UnavailableError("first"), 0, 3);
  for (CommitQueue::Group group = 2; group < 100; ++group) {
    groups.Add(group, absl::UnavailableError("later"), 0, 1);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(groups.Tell(1, 0), absl::UnavailableError("first"));
  EXPECT_FALSE(groups.Tell(1, 0).has_value());
  for (CommitQueue::Group group = 2; group < 100; ++group) {
    EXPECT_TRUE(groups.Any());
    EXPECT_EQ(groups.Tell(group, 0), absl::UnavailableError("later"));
  }
  EXPECT_FALSE(groups.Any());
}

TEST(FailedGroupsTest, GroupInWhichNobodySleptIsNotKept) {
  FailedGroups groups;
  groups.Add(1, absl::UnavailableError("write"), 0, 0);
  EXPECT_FALSE(groups.Any());
}

}  // namespace
}  // namespace emdb
