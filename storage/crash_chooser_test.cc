#include "storage/crash_chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
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
    EXPECT_TRUE(seen.insert(answers).second || questions.empty());
  } while (chooser.Next());
  return seen;
}

TEST(CrashChooserTest, SystematicLosesAndKeepsEachRange) {
  using Answers = std::set<std::vector<uint32_t>>;
  EXPECT_EQ(SystematicAnswers({}), (Answers{{}}));
  EXPECT_EQ(SystematicAnswers({3}), (Answers{{0}, {2}}));
  EXPECT_EQ(SystematicAnswers({2, 3}), (Answers{{0, 0}, {1, 2}, {0, 2}, {1, 0}}));
  for (size_t pieces = 3; pieces < 9; ++pieces) {
    Answers expected;
    for (size_t first = 0; first < pieces; ++first) {
      for (size_t end = first + 1; end <= pieces; ++end) {
        for (const uint32_t inside : {0, 1}) {
          std::vector<uint32_t> answers(pieces, 1 - inside);
          std::fill(answers.begin() + static_cast<ptrdiff_t>(first),
                    answers.begin() + static_cast<ptrdiff_t>(end), inside);
          expected.insert(answers);
        }
      }
    }
    EXPECT_EQ(SystematicAnswers(std::vector<uint32_t>(pieces, 2)), expected);
  }
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
