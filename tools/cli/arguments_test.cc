#include "tools/cli/arguments.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Syntax ScanSyntax() {
  Syntax syntax;
  syntax.name = "scan";
  syntax.summary = "Show records";
  syntax.positionals = {{.name = "STORE", .help = "the store file"},
                        {.name = "FILE", .help = "a file", .count = Positional::Count::kOptional}};
  syntax.options = {
      {.name = "reverse", .help = "last first"},
      {.name = "prefix", .kind = Option::Kind::kText, .value_name = "KEY", .help = "only these"},
      {.name = "limit", .kind = Option::Kind::kNumber, .value_name = "N", .default_value = "25"},
      {.name = "format",
       .kind = Option::Kind::kChoice,
       .default_value = "text",
       .choices = {"text", "hex"}},
  };
  return syntax;
}

absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words) {
  return Arguments::Parse(ScanSyntax(), words);
}

std::string ParseError(const std::vector<std::string>& words) {
  const absl::Status status = Parse(words).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return absl::StrCat(status.message());
}

TEST(ArgumentsTest, DefaultsStandWhereNothingIsGiven) {
  const absl::StatusOr<Arguments> arguments = Parse({"a.emdb"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->positionals(), ElementsAre("a.emdb"));
  EXPECT_FALSE(arguments->IsOn("reverse"));
  EXPECT_FALSE(arguments->IsGiven("prefix"));
  EXPECT_EQ(arguments->Text("prefix"), "");
  EXPECT_EQ(arguments->Number("limit"), 25u);
  EXPECT_EQ(arguments->Text("format"), "text");
}

TEST(ArgumentsTest, OptionsMayStandAnywhereAndInBothForms) {
  const absl::StatusOr<Arguments> arguments =
      Parse({"--limit=3", "a.emdb", "--reverse", "--prefix", "-x=", "--format=hex", "b"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->positionals(), ElementsAre("a.emdb", "b"));
  EXPECT_TRUE(arguments->IsOn("reverse"));
  EXPECT_EQ(arguments->Text("prefix"), "-x=");
  EXPECT_EQ(arguments->Number("limit"), 3u);
  EXPECT_EQ(arguments->Text("format"), "hex");
}

TEST(ArgumentsTest, AnEmptyValueIsAValue) {
  const absl::StatusOr<Arguments> arguments = Parse({"a", "--prefix="});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_TRUE(arguments->IsGiven("prefix"));
  EXPECT_EQ(arguments->Text("prefix"), "");
}

TEST(ArgumentsTest, BehindTwoDashesAllIsPositional) {
  const absl::StatusOr<Arguments> arguments = Parse({"a.emdb", "--", "--reverse"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->positionals(), ElementsAre("a.emdb", "--reverse"));
  EXPECT_FALSE(arguments->IsOn("reverse"));
}

TEST(ArgumentsTest, ASingleDashIsPositional) {
  const absl::StatusOr<Arguments> arguments = Parse({"a.emdb", "-"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->positionals(), ElementsAre("a.emdb", "-"));
}

TEST(ArgumentsTest, HelpNeedsNothingElse) {
  for (const char* word : {"--help", "-h"}) {
    const absl::StatusOr<Arguments> arguments = Parse({word});
    ASSERT_TRUE(arguments.ok()) << arguments.status();
    EXPECT_TRUE(arguments->help());
  }
}

TEST(ArgumentsTest, UnknownOptionsAreRefusedWithTheNearestOne) {
  EXPECT_EQ(ParseError({"a", "--revrese"}),
            "unknown option --revrese; did you mean --reverse? "
            "(if it is a key or a value, put -- in front of it)");
  EXPECT_THAT(ParseError({"a", "-r"}), HasSubstr("unknown option -r"));
  EXPECT_THAT(ParseError({"a", "--=3"}), HasSubstr("unknown option --=3"));
}

TEST(ArgumentsTest, WrongValuesAreRefused) {
  EXPECT_EQ(ParseError({"a", "--limit"}), "--limit needs a value");
  EXPECT_EQ(ParseError({"a", "--reverse=yes"}), "--reverse takes no value");
  EXPECT_EQ(ParseError({"a", "--format=json"}),
            "--format expects one of text, hex, found \"json\"");
  EXPECT_THAT(ParseError({"a", "--format=hxe"}), HasSubstr("did you mean hex?"));
  for (const char* bad : {"", "x", "-1", "+1", "1 ", "1k", "18446744073709551616"}) {
    EXPECT_THAT(ParseError({"a", "--limit", bad}), HasSubstr("--limit expects a number")) << bad;
  }
}

TEST(ArgumentsTest, MissingAndExtraArgumentsAreRefused) {
  EXPECT_EQ(ParseError({}), "missing STORE: the store file");
  EXPECT_THAT(ParseError({"a", "b", "c"}), HasSubstr("unexpected argument \"c\""));
}

TEST(ArgumentsTest, RepeatedArgumentsAreCounted) {
  Syntax syntax;
  syntax.positionals = {
      {.name = "STORE", .help = ""},
      {.name = "KEY", .help = "the key", .count = Positional::Count::kAtLeastOne}};
  EXPECT_THAT(std::string(Arguments::Parse(syntax, {std::string("s")}).status().message()),
              HasSubstr("missing KEY"));
  const std::vector<std::string> words = {"s", "a", "b", "c"};
  const absl::StatusOr<Arguments> arguments = Arguments::Parse(syntax, words);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->positionals().size(), 4u);
}

TEST(ArgumentsTest, NumbersReachTheLargest) {
  EXPECT_EQ(ParseNumber("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseNumber("0"), 0u);
}

}  // namespace
}  // namespace emdb::cli
