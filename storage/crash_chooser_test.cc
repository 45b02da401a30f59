#include "storage/crash_chooser.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

namespace emdb {
namespace {

TEST(CrashChooserTest, ExhaustiveGivesEachCombinationOnce) {
  std::set<std::vector<uint32_t>> seen;
  ExhaustiveChooser chooser;
  do {
    std::vector<uint32_t> answers = {chooser.Choose(2)};
    // A question that depends on an answer.
    if (answers[0] == 1) answers.push_back(chooser.Choose(3));
    answers.push_back(chooser.Choose(2));
    EXPECT_TRUE(seen.insert(answers).second);
  } while (chooser.Next());
  EXPECT_EQ(seen.size(), 2u + 3u * 2u);
}

std::set<std::vector<uint32_t>> SystematicAnswers(const std::vector<uint32_t>& questions) {
  std::set<std::vector<uint32_t>> seen;
  SystematicChooser chooser;
  do {
    std::vector<uint32_t> answers;
    answers.reserve(questions.size());
    for (const uint32_t n : questions) answers.push_back(chooser.Choose(n));
    seen.insert(answers);
  } while (chooser.Next());
  return seen;
}

TEST(CrashChooserTest, SystematicLosesAndKeepsEachPieceAndEachPrefix) {
  using Answers = std::set<std::vector<uint32_t>>;
  EXPECT_EQ(SystematicAnswers({}), (Answers{{}}));
  EXPECT_EQ(SystematicAnswers({3}), (Answers{{0}, {2}}));
  EXPECT_EQ(SystematicAnswers({2, 2, 4, 2}), (Answers{{0, 0, 0, 0},
                                                      {1, 1, 3, 1},
                                                      {0, 1, 3, 1},
                                                      {1, 0, 3, 1},
                                                      {1, 1, 0, 1},
                                                      {1, 1, 3, 0},
                                                      {1, 0, 0, 0},
                                                      {0, 1, 0, 0},
                                                      {0, 0, 3, 0},
                                                      {0, 0, 0, 1},
                                                      {1, 1, 0, 0},
                                                      {0, 0, 3, 1}}));
}

TEST(CrashChooserTest, RandomIsRepeatableAndReachesEveryAnswer) {
  std::set<uint32_t> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    RandomChooser one(seed);
    RandomChooser other(seed);
    for (int i = 0; i < 20; ++i) {
      const uint32_t answer = one.Choose(3);
      EXPECT_EQ(answer, other.Choose(3));
      seen.insert(answer);
    }
  }
  EXPECT_EQ(seen, (std::set<uint32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace emdb
