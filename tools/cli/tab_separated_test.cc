#include "tools/cli/tab_separated.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Record> ParseLine(const std::string& text, RecordFormat format = {}) {
  TestConsole console(/*env=*/nullptr, text);
  LineReader lines(console.console()->in, "input");
  TabSeparatedReader reader(&lines, format);
  Record record;
  const absl::StatusOr<bool> found = reader.Next(&record);
  if (!found.ok()) return found.status();
  EXPECT_TRUE(*found);
  return record;
}

TEST(TabSeparatedTest, EveryByteComesBackInEveryFormat) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  for (const RecordFormat format :
       {RecordFormat{}, RecordFormat{.key = ByteFormat::kHex, .value = ByteFormat::kBase64}}) {
    TestConsole console(/*env=*/nullptr);
    TabSeparatedWriter writer(console.console(), format);
    ASSERT_TRUE(writer.Write(all_bytes, all_bytes).ok());
    const absl::StatusOr<Record> record = ParseLine(console.out(), format);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->key, all_bytes);
    EXPECT_EQ(record->value, all_bytes);
  }
}

TEST(TabSeparatedTest, EmptyValuesAndKeysAreKept) {
  const absl::StatusOr<Record> record = ParseLine("\t\n");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key, "");
  EXPECT_EQ(record->value, "");
}

TEST(TabSeparatedTest, KeysAloneAreALineEach) {
  TestConsole console(/*env=*/nullptr);
  TabSeparatedWriter writer(console.console(), {}, /*keys_only=*/true);
  ASSERT_TRUE(writer.Write("a\tb", "value").ok());
  EXPECT_EQ(console.out(), "a\\tb\n");
}

TEST(TabSeparatedTest, MalformedLinesAreRefusedWithTheirNumber) {
  const auto error = [](const std::string& text) {
    const absl::Status status =
        ParseLine(text, {.key = ByteFormat::kText, .value = ByteFormat::kHex}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return absl::StrCat(status.message());
  };
  EXPECT_THAT(error("abc\n"), HasSubstr("line 1: expected a key, a tab and a value"));
  EXPECT_THAT(error("\n"), HasSubstr("line 1: expected a key"));
  EXPECT_THAT(error("a\t00\t00\n"), HasSubstr("line 1: expected one tab"));
  EXPECT_THAT(error("a\\q\t00\n"), HasSubstr("line 1: key: unknown escape"));
  EXPECT_THAT(error("a\t0\n"), HasSubstr("line 1: value: hex needs"));
}

}  // namespace
}  // namespace emdb::cli
