#include "kv/deleted_runs.h"

#include <string>

#include "gtest/gtest.h"

namespace emdb {
namespace {

TEST(DeletedRunsTest, ARunIsFoundByItsKeys) {
  DeletedRuns runs;
  runs.Add({"b", "d", 7});
  EXPECT_FALSE(runs.Find("a", 7));
  ASSERT_TRUE(runs.Find("b", 7));
  EXPECT_EQ(runs.Find("czz", 7)->end, "d");
  EXPECT_FALSE(runs.Find("d", 7));
}

TEST(DeletedRunsTest, ARunWithoutAnEndHoldsAllThatFollows) {
  DeletedRuns runs;
  runs.Add({"b", std::nullopt, 7});
  EXPECT_FALSE(runs.Find("a", 7));
  EXPECT_TRUE(runs.Find("zzz", 7));
}

TEST(DeletedRunsTest, AnOlderReadDoesNotFindIt) {
  DeletedRuns runs;
  runs.Add({"b", "d", 7});
  EXPECT_FALSE(runs.Find("c", 6));
  EXPECT_TRUE(runs.Find("c", 8));
}

TEST(DeletedRunsTest, TheNewerOfTwoThatTouchIsKept) {
  DeletedRuns runs;
  runs.Add({"b", "d", 7});
  runs.Add({"a", "c", 6});
  EXPECT_EQ(runs.Find("c", 9)->seq, 7u);
  runs.Add({"a", "e", 8});
  EXPECT_EQ(runs.Find("c", 9)->seq, 8u);
  EXPECT_FALSE(runs.Find("c", 7));
}

TEST(DeletedRunsTest, TheOldestMakesRoom) {
  DeletedRuns runs;
  for (char c = 'a'; c <= 'i'; ++c) runs.Add({std::string(1, c), std::string(1, c) + "z", 7});
  EXPECT_FALSE(runs.Find("ab", 7));
  EXPECT_TRUE(runs.Find("bb", 7));
  EXPECT_TRUE(runs.Find("ib", 7));
}

TEST(DeletedRunsTest, ACopyKnowsNothing) {
  DeletedRuns runs;
  runs.Add({"b", "d", 7});
  DeletedRuns copy(runs);
  EXPECT_FALSE(copy.Find("c", 7));
  copy = runs;
  EXPECT_FALSE(copy.Find("c", 7));
  EXPECT_TRUE(runs.Find("c", 7));
}

}  // namespace
}  // namespace emdb
