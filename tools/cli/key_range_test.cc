#include "tools/cli/key_range.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Arguments Parse(const std::vector<std::string>& words) {
  Syntax syntax;
  for (const std::vector<Option>& options : {RangeOptions(), FormatOptions(/*both=*/true)}) {
    syntax.options.insert(syntax.options.end(), options.begin(), options.end());
  }
  absl::StatusOr<Arguments> arguments = Arguments::Parse(syntax, words);
  EXPECT_TRUE(arguments.ok()) << arguments.status();
  return *arguments;
}

KeyRange Range(const std::vector<std::string>& words) {
  const absl::StatusOr<KeyRange> range = KeyRangeFrom(Parse(words), ByteFormat::kText);
  EXPECT_TRUE(range.ok()) << range.status();
  return range.ok() ? *range : KeyRange();
}

TEST(KeyRangeTest, ThePrefixEndIsBehindAllKeysOfThePrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("a\x7f"), "a\x80");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_EQ(PrefixEnd(""), "");
}

TEST(KeyRangeTest, TheBoundsAreTheNarrowestGiven) {
  EXPECT_EQ(Range({}).lower, "");
  EXPECT_EQ(Range({}).upper, "");
  const KeyRange range = Range({"--prefix=b", "--from=ba", "--to=bz"});
  EXPECT_EQ(range.lower, "ba");
  EXPECT_EQ(range.upper, "bz");
  EXPECT_EQ(Range({"--prefix=b", "--from=a", "--to=z"}).lower, "b");
  EXPECT_EQ(Range({"--prefix=b", "--from=a", "--to=z"}).upper, "c");
}

TEST(KeyRangeTest, ContradictingBoundsHoldNothing) {
  EXPECT_TRUE(Range({"--from=b", "--to=a"}).is_empty());
  EXPECT_TRUE(Range({"--from=b", "--to=b"}).is_empty());
  EXPECT_FALSE(Range({"--from=b"}).is_empty());
}

TEST(KeyRangeTest, AnEmptyOrMalformedKeyIsRefused) {
  for (const char* option : {"--prefix=", "--from=", "--to=", "--from=\\q"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(KeyRangeFrom(Parse({option}), ByteFormat::kText).status()))
        << option;
  }
}

TEST(KeyRangeTest, TheFormatOfKeysOrValuesWinsOverTheCommonOne) {
  const RecordFormat format =
      RecordFormatFrom(Parse({"--format=hex", "--value-format=base64"}), /*both=*/true);
  EXPECT_EQ(format.key, ByteFormat::kHex);
  EXPECT_EQ(format.value, ByteFormat::kBase64);
}

class ForEachRecordTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Db>> db = Db::OpenInMemory();
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(db_->Put(key, "").ok());
  }

  std::vector<std::string> Keys(const Walk& walk) const {
    std::vector<std::string> keys;
    const absl::Status status = ForEachRecord(*db_, walk, [&](const Iterator& at) {
      keys.emplace_back(at.key());
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return keys;
  }

  std::unique_ptr<Db> db_;
};

TEST_F(ForEachRecordTest, BothDirectionsKeepToBoundsAndLimit) {
  EXPECT_THAT(Keys({}), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Keys({.range = {.lower = "b", .upper = "d"}}), ElementsAre("b", "c"));
  EXPECT_THAT(Keys({.range = {.lower = "b", .upper = ""}, .reverse = true, .limit = 2}),
              ElementsAre("d", "c"));
  EXPECT_THAT(Keys({.range = {.lower = "c", .upper = "b"}}), IsEmpty());
  EXPECT_THAT(Keys({.range = {}, .limit = 0}), IsEmpty());
}

TEST_F(ForEachRecordTest, AnErrorEndsTheWalk) {
  int visits = 0;
  const absl::Status status = ForEachRecord(*db_, {}, [&](const Iterator&) {
    ++visits;
    return absl::CancelledError("enough");
  });
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(visits, 1);
}

}  // namespace
}  // namespace emdb::cli
