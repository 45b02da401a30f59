#include "tools/cli/mdb_dump.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Parsed {
  std::vector<Record> records;
  absl::Status status;
  std::string note;
};

Parsed ParseDump(const std::string& text) {
  TestConsole console(/*env=*/nullptr, text);
  LineReader lines(console.console()->in, "input");
  MdbDumpReader reader(&lines);
  Parsed parsed;
  Record record;
  while (true) {
    const absl::StatusOr<bool> found = reader.Next(&record);
    parsed.status = found.status();
    parsed.note = reader.note();
    if (!found.ok() || !*found) return parsed;
    parsed.records.push_back(record);
  }
}

std::string ParseError(const std::string& text) {
  const Parsed parsed = ParseDump(text);
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status)) << parsed.status;
  return absl::StrCat(parsed.status.message());
}

std::string Dump(const std::vector<Record>& records, const MdbDumpOptions& options) {
  TestConsole console(/*env=*/nullptr);
  MdbDumpWriter writer(console.console(), options);
  EXPECT_TRUE(writer.Begin().ok());
  for (const Record& record : records) {
    EXPECT_TRUE(writer.Write(record.key, record.value).ok());
  }
  EXPECT_TRUE(writer.End().ok());
  return console.out();
}

constexpr char kHeader[] = "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=4096\nHEADER=END\n";

TEST(MdbDumpTest, BytevalueIsRead) {
  const Parsed parsed = ParseDump(absl::StrCat(kHeader, " 6B6579\n 00ff\n 62\n \nDATA=END\n"));
  ASSERT_TRUE(parsed.status.ok()) << parsed.status;
  ASSERT_EQ(parsed.records.size(), 2u);
  EXPECT_EQ(parsed.records[0].key, "key");
  EXPECT_EQ(parsed.records[0].value, std::string("\0\xff", 2));
  EXPECT_EQ(parsed.records[1].key, "b");
  EXPECT_EQ(parsed.records[1].value, "");
}

TEST(MdbDumpTest, PrintIsRead) {
  const Parsed parsed = ParseDump(
      "VERSION=3\nformat=print\ntype=hash\nHEADER=END\n a\\0ab\n \\5c\\\\  x\nDATA=END\n");
  ASSERT_TRUE(parsed.status.ok()) << parsed.status;
  ASSERT_EQ(parsed.records.size(), 1u);
  EXPECT_EQ(parsed.records[0].key, "a\nb");
  EXPECT_EQ(parsed.records[0].value, "\\\\  x");
}

TEST(MdbDumpTest, WhatIsWrittenIsReadBack) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::vector<Record> records = {{.key = "a", .value = ""},
                                       {.key = all_bytes, .value = all_bytes}};
  for (const bool print : {false, true}) {
    const Parsed parsed = ParseDump(Dump(records, {.print = print, .mapsize_bytes = 1 << 20}));
    ASSERT_TRUE(parsed.status.ok()) << parsed.status;
    ASSERT_EQ(parsed.records.size(), 2u);
    EXPECT_EQ(parsed.records[1].key, all_bytes);
    EXPECT_EQ(parsed.records[1].value, all_bytes);
  }
}

TEST(MdbDumpTest, TheTextIsWhatTheFormatSays) {
  EXPECT_EQ(Dump({{.key = "k\\", .value = "\n"}}, {.print = true}),
            "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n k\\5c\n \\0a\nDATA=END\n");
  EXPECT_EQ(Dump({{.key = "k", .value = "v"}}, {.mapsize_bytes = 4096}),
            absl::StrCat(kHeader, " 6b\n 76\nDATA=END\n"));
}

TEST(MdbDumpTest, MalformedInputIsRefusedWithItsLine) {
  EXPECT_THAT(ParseError(""), HasSubstr("ends before HEADER=END"));
  EXPECT_THAT(ParseError("a\tb\n"), HasSubstr("line 1: expected VERSION=3, found \"a\\tb\""));
  EXPECT_THAT(ParseError("VERSION=2\n"), HasSubstr("line 1: expected VERSION=3"));
  EXPECT_THAT(ParseError("VERSION=3\nformat=json\n"), HasSubstr("line 2: expected format="));
  EXPECT_THAT(ParseError("VERSION=3\ntype=recno\n"), HasSubstr("line 2: expected type="));
  EXPECT_THAT(ParseError("VERSION=3\nduplicates=1\n"), HasSubstr("line 2: duplicates=1"));
  EXPECT_THAT(ParseError("VERSION=3\nnonsense\n"), HasSubstr("line 2: expected name=value"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, "6b\n")), HasSubstr("line 6: expected a key"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, " 6\n")),
              HasSubstr("line 6: expected a key as pairs"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, " 6b\n zz\n")),
              HasSubstr("line 7: expected the value"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, " 6b\nDATA=END\n")),
              HasSubstr("line 7: the last key"));
}

TEST(MdbDumpTest, AnInputWithoutItsEndIsCutShort) {
  EXPECT_THAT(ParseError(kHeader), HasSubstr("cut short"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, " 6b\n")), HasSubstr("cut short"));
  EXPECT_THAT(ParseError(absl::StrCat(kHeader, " 6b\n 76\n")), HasSubstr("cut short"));
}

TEST(MdbDumpTest, AmbiguousBackslashesAreNotGuessed) {
  EXPECT_THAT(ParseError("VERSION=3\nformat=print\nHEADER=END\n a\n b\\g\nDATA=END\n"),
              HasSubstr("line 5: a backslash"));
}

TEST(MdbDumpTest, AnEscapeThatNoDumperWritesIsABackslashThatWasNotMarked) {
  // "C:\2024", "A", "z~" as mdb_dump -p writes them.
  for (const std::string value : {"C:\\2024", "\\41", "z\\7e", "\\5C\\20"}) {
    EXPECT_THAT(ParseError(absl::StrCat("VERSION=3\nformat=print\nHEADER=END\n a\n ", value,
                                        "\nDATA=END\n")),
                AllOf(HasSubstr("line 5: "), HasSubstr("dump without -p")))
        << value;
  }
  const Parsed parsed =
      ParseDump("VERSION=3\nformat=print\nHEADER=END\n a\n \\1f\\7f\\ff\\5c\\5C\nDATA=END\n");
  ASSERT_TRUE(parsed.status.ok()) << parsed.status;
  EXPECT_EQ(parsed.records[0].value, "\x1f\x7f\xff\\\\");
}

TEST(MdbDumpTest, BackslashesInTheTextOfLmdbAreNoted) {
  const std::string lmdb = "VERSION=3\nformat=print\nmapsize=4096\nmaxreaders=126\nHEADER=END\n";
  EXPECT_THAT(ParseDump(lmdb + " a\n C:\\de\nDATA=END\n").note, HasSubstr("dump without -p"));
  EXPECT_EQ(ParseDump(lmdb + " a\n C:/de\nDATA=END\n").note, "");
  EXPECT_EQ(
      ParseDump("VERSION=3\nformat=print\nmapsize=4096\nHEADER=END\n a\n \\de\nDATA=END\n").note,
      "")
      << "ours has no maxreaders, and marks backslashes";
  EXPECT_EQ(ParseDump(absl::StrCat(kHeader, " 5c\n 5c\nDATA=END\n")).note, "");
}

TEST(MdbDumpTest, ALineWithATabIsARecordAndNotAHeader) {
  EXPECT_TRUE(MdbDumpReader::IsFirstLine("VERSION=3"));
  EXPECT_TRUE(MdbDumpReader::IsFirstLine("VERSION=2"));
  EXPECT_FALSE(MdbDumpReader::IsFirstLine("VERSION=3\tvalue"));
}

TEST(MdbDumpTest, ASecondDatabaseIsRefused) {
  const std::string one = absl::StrCat(kHeader, " 6b\n 76\nDATA=END\n");
  EXPECT_THAT(ParseError(one + one), HasSubstr("line 9: a second database"));
  EXPECT_THAT(ParseError(one + "x"), HasSubstr("line 9: unexpected text"));
  EXPECT_TRUE(ParseDump(one + "\n\n").status.ok());
}

}  // namespace
}  // namespace emdb::cli
