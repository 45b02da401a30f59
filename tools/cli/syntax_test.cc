#include "tools/cli/syntax.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

Syntax GetSyntax() {
  Syntax syntax;
  syntax.name = "get";
  syntax.summary = "Print values";
  syntax.details = "Each on a line of its own.";
  syntax.positionals = {{.name = "STORE", .help = "the store file"},
                        {.name = "KEY", .help = "a key", .count = Positional::Count::kAtLeastOne}};
  syntax.options = {{.name = "raw", .help = "as it is"},
                    {.name = "limit",
                     .kind = Option::Kind::kNumber,
                     .value_name = "N",
                     .default_value = "7",
                     .help = "at most this many"},
                    {.name = "value-format",
                     .kind = Option::Kind::kChoice,
                     .default_value = "text",
                     .choices = {"text", "hex"},
                     .help = "how values look"}};
  syntax.examples = {"emdb get a.emdb key"};
  return syntax;
}

TEST(SyntaxTest, UsageShowsWhatMayBeRepeatedOrLeftOut) {
  Syntax syntax = GetSyntax();
  EXPECT_EQ(UsageLine("emdb", syntax), "emdb get STORE KEY... [options]");
  syntax.positionals[1].count = Positional::Count::kOptional;
  EXPECT_EQ(UsageLine("emdb", syntax), "emdb get STORE [KEY] [options]");
  syntax.positionals[1].count = Positional::Count::kAny;
  syntax.options.clear();
  EXPECT_EQ(UsageLine("", syntax), "get STORE [KEY...]");
}

TEST(SyntaxTest, HelpIsMadeFromTheDeclaration) {
  EXPECT_EQ(HelpText("emdb", GetSyntax()),
            "Usage: emdb get STORE KEY... [options]\n"
            "\n"
            "Print values.\n"
            "Each on a line of its own.\n"
            "\n"
            "  STORE                   the store file\n"
            "  KEY                     a key\n"
            "  --raw                   as it is\n"
            "  --limit=N               at most this many (default: 7)\n"
            "  --value-format=text|hex\n"
            "                          how values look (default: text)\n"
            "  --help                  this text\n"
            "\n"
            "Examples:\n"
            "  emdb get a.emdb key\n");
}

TEST(SyntaxTest, TextIsWrappedBetweenWords) {
  EXPECT_EQ(WrapText("one two three four", 2, 12), "  one two\n  three four");
  EXPECT_EQ(WrapText("a-very-long-word b", 0, 5), "a-very-long-word\nb");
  EXPECT_EQ(WrapText("one\ntwo", 1, 40), " one\n two");
}

}  // namespace
}  // namespace emdb::cli
