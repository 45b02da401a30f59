#include "tools/cli/suggestion.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

std::vector<std::string> Commands() { return {"get", "put", "scan", "checkpoint", "verify"}; }

TEST(SuggestionTest, DistanceCountsEachKindOfEdit) {
  EXPECT_EQ(EditDistance("scan", "scan"), 0u);
  EXPECT_EQ(EditDistance("scn", "scan"), 1u);
  EXPECT_EQ(EditDistance("scaan", "scan"), 1u);
  EXPECT_EQ(EditDistance("scam", "scan"), 1u);
  EXPECT_EQ(EditDistance("sacn", "scan"), 1u);
  EXPECT_EQ(EditDistance("", "scan"), 4u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(SuggestionTest, ATypoIsRecognised) {
  EXPECT_EQ(DidYouMean("sacn", Commands()), "; did you mean scan?");
  EXPECT_EQ(DidYouMean("verfy", Commands()), "; did you mean verify?");
}

TEST(SuggestionTest, TheBeginningOfOneWordIsRecognised) {
  EXPECT_EQ(DidYouMean("check", Commands()), "; did you mean checkpoint?");
}

TEST(SuggestionTest, WhatIsFarFromAllGetsNoSuggestion) {
  EXPECT_EQ(DidYouMean("frobnicate", Commands()), "");
  EXPECT_EQ(DidYouMean("xx", Commands()), "");
  EXPECT_EQ(DidYouMean("", Commands()), "");
}

}  // namespace
}  // namespace emdb::cli
