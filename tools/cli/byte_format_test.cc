#include "tools/cli/byte_format.h"

#include <random>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;

constexpr ByteFormat kAllFormats[] = {ByteFormat::kText, ByteFormat::kHex, ByteFormat::kBase64};

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(ByteFormatTest, EveryByteComesBackFromEveryFormat) {
  for (const ByteFormat format : kAllFormats) {
    const std::string text = FormatBytes(format, AllBytes());
    EXPECT_EQ(text.find_first_of("\t\n"), std::string::npos);
    absl::StatusOr<std::string> bytes = ParseBytes(format, text);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, AllBytes());
  }
}

TEST(ByteFormatTest, RandomBytesComeBack) {
  constexpr unsigned kSeed = 7;
  SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 40, '\0');
    // Bytes from 0xc0 up are common, so that broken UTF-8 is.
    for (char& c : bytes)
      c = static_cast<char>(random() % 3 == 0 ? 0xc0 + random() % 64 : random());
    for (const ByteFormat format : kAllFormats) {
      absl::StatusOr<std::string> parsed = ParseBytes(format, FormatBytes(format, bytes));
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      ASSERT_EQ(*parsed, bytes);
    }
  }
}

TEST(ByteFormatTest, TextEscapesWhatATerminalWouldNotShow) {
  EXPECT_EQ(FormatBytes(ByteFormat::kText, std::string("a\\b\n\r\t\0\x1b", 8)),
            "a\\\\b\\n\\r\\t\\0\\x1b");
}

TEST(ByteFormatTest, TextShowsUtf8AsItIsAndEscapesWhatIsNotUtf8) {
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "grün €"), "grün €");
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "gr\xfcn"), "gr\\xfcn");
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\xc0\x80"), "\\xc0\\x80") << "overlong zero";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\xe2\x82"), "\\xe2\\x82") << "cut short";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\xc2\x85"), "\\xc2\\x85") << "control character";
}

TEST(ByteFormatTest, TextEscapesWhatTurnsTextAround) {
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\u061c"), "\\xd8\\x9c") << "Arabic letter mark";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\u200e\u200f"), "\\xe2\\x80\\x8e\\xe2\\x80\\x8f");
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\u202e"), "\\xe2\\x80\\xae") << "override";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\u2066\u2069"), "\\xe2\\x81\\xa6\\xe2\\x81\\xa9")
      << "isolates";
  EXPECT_EQ(FormatBytes(ByteFormat::kText, "\u200d\u2065\u206a"), "\u200d\u2065\u206a") << "beside";
}

TEST(ByteFormatTest, UnknownEscapeIsRefusedWithItsPlace) {
  for (const char* text : {"ab\\q", "ab\\", "ab\\x1", "ab\\xzz"}) {
    const absl::Status status = ParseBytes(ByteFormat::kText, text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("at byte 2")) << text;
  }
}

TEST(ByteFormatTest, MalformedHexIsRefusedWithItsPlace) {
  EXPECT_THAT(std::string(ParseBytes(ByteFormat::kHex, "abc").status().message()),
              HasSubstr("found 3 characters"));
  EXPECT_THAT(std::string(ParseBytes(ByteFormat::kHex, "00gg").status().message()),
              HasSubstr("at byte 2: g"));
  EXPECT_EQ(*ParseBytes(ByteFormat::kHex, "aBFf"), "\xab\xff");
  EXPECT_EQ(*ParseBytes(ByteFormat::kHex, ""), "");
}

TEST(ByteFormatTest, MalformedBase64IsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParseBytes(ByteFormat::kBase64, "a?b=").status()));
  EXPECT_EQ(*ParseBytes(ByteFormat::kBase64, "aGVsbG8="), "hello");
}

TEST(ByteFormatTest, NamesAreKnown) {
  EXPECT_EQ(ByteFormatFromName("text"), ByteFormat::kText);
  EXPECT_EQ(ByteFormatFromName("hex"), ByteFormat::kHex);
  EXPECT_EQ(ByteFormatFromName("base64"), ByteFormat::kBase64);
}

}  // namespace
}  // namespace emdb::cli
