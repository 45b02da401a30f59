#include "tools/cli/shell_words.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Split(std::string_view line) {
  absl::StatusOr<std::vector<std::string>> words = SplitWords(line);
  EXPECT_TRUE(words.ok()) << words.status();
  return words.ok() ? *words : std::vector<std::string>();
}

TEST(ShellWordsTest, SpacesAndTabsSeparate) {
  EXPECT_THAT(Split("  put\tkey   value "), ElementsAre("put", "key", "value"));
  EXPECT_THAT(Split(""), IsEmpty());
  EXPECT_THAT(Split("   "), IsEmpty());
}

TEST(ShellWordsTest, QuotesKeepTogether) {
  EXPECT_THAT(Split("put 'two words' \"it's\""), ElementsAre("put", "two words", "it's"));
  EXPECT_THAT(Split("put a'b c'd ''"), ElementsAre("put", "ab cd", ""));
}

TEST(ShellWordsTest, EscapesAreLeftForTheFormatToRead) {
  EXPECT_THAT(Split("put a\\nb \"say \\\"x\\\"\" \\ "),
              ElementsAre("put", "a\\nb", "say \\\"x\\\"", "\\ "));
}

TEST(ShellWordsTest, ZeroBytesAreKept) {
  using std::string_literals::operator""s;
  EXPECT_THAT(Split("put a\0b '\0' \0#\0"s), ElementsAre("put", "a\0b"s, "\0"s, "\0#\0"s));
}

TEST(ShellWordsTest, CommentsAreIgnoredBetweenWordsOnly) {
  EXPECT_THAT(Split("# all of it"), IsEmpty());
  EXPECT_THAT(Split("get a#b '#c' # rest"), ElementsAre("get", "a#b", "#c"));
}

TEST(ShellWordsTest, AnOpenQuoteIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(SplitWords("put 'a").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SplitWords("put \"a\\\"").status()));
}

}  // namespace
}  // namespace emdb::cli
