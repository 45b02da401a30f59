#include "tools/bench/json.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace emdb::bench {
namespace {

std::string RoundTrip(std::string_view text) {
  const absl::StatusOr<JsonValue> value = JsonValue::Parse(text);
  return value.ok() ? value->ToString() : std::string(value.status().message());
}

TEST(JsonTest, ValuesComeBackAsTheyWere) {
  for (const char* text :
       {"null", "true", "false", "0", "-12.5", "1e+30", "123456789012", "\"\"", R"("a \"b\" \\ c")",
        "[]", "{}", R"([1,[2,{"a":null}],"x"])", R"({"b":1,"a":{"c":[true]}})"}) {
    EXPECT_EQ(RoundTrip(text), text);
  }
}

TEST(JsonTest, SpaceIsSkippedAndEscapesAreResolved) {
  EXPECT_EQ(RoundTrip(" { \"a\" :\t[ 1 , 2 ]\r\n} "), R"({"a":[1,2]})");
  EXPECT_EQ(JsonValue::Parse(R"("\u0041\u00e4\u20ac\n\/")")->AsString(), "A\u00e4\u20ac\n/");
  EXPECT_EQ(JsonValue::String("tab\there").ToString(), R"("tab\u0009here")");
}

TEST(JsonTest, BrokenTextIsRefusedWithItsPlace) {
  for (const char* text : {"", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"abc",
                           "\"\\x\"", "\"\\u12\"", "1 2", "tru", "--1", "[1]]"}) {
    EXPECT_FALSE(JsonValue::Parse(text).ok()) << text;
  }
  EXPECT_EQ(RoundTrip("[1 2]"), "JSON, byte 3: expected ']'");
}

TEST(JsonTest, NestingHasALimit) {
  EXPECT_TRUE(JsonValue::Parse(std::string(60, '[') + std::string(60, ']')).ok());
  EXPECT_FALSE(JsonValue::Parse(std::string(100'000, '[')).ok());
}

TEST(JsonTest, WhatIsMissingOrOfAnotherTypeReadsAsEmpty) {
  const JsonValue value = *JsonValue::Parse(R"({"text":"x","number":-3})");
  EXPECT_EQ(value["missing"]["deeper"].AsString(), "");
  EXPECT_EQ(value["text"].AsNumber(), 0);
  EXPECT_EQ(value["number"].AsInteger(), 0);
  EXPECT_TRUE(value["number"].AsArray().empty());
}

TEST(JsonTest, NumbersThatJsonLacksAreNull) {
  EXPECT_EQ(JsonValue::Number(std::numeric_limits<double>::infinity()).ToString(), "null");
}

}  // namespace
}  // namespace emdb::bench
