// The bytes on disk: what FORMAT.md says, and a log that was written by format version 1 when it
// was new.

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/testing.h"

namespace emdb {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The bytes that are written as pairs of hex digits in `text`.
std::string FromHex(const std::string& text) {
  std::istringstream words(text);
  std::string bytes;
  for (std::string word; words >> word;) {
    bytes += static_cast<char>(std::stoi(word, nullptr, 16));
  }
  return bytes;
}

TEST(WalFormatTest, ExampleInTheTextIsWhatItSays) {
  const std::string text = ReadText("wal/FORMAT.md");
  const size_t begin = text.find("```\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string frame =
      FromHex(text.substr(begin + 4, text.find("```", begin + 4) - begin - 4));
  FrameHeader header;
  ASSERT_EQ(frame.size(), 24u);
  ASSERT_TRUE(DecodeFrameHeader(frame.data(), &header));
  EXPECT_EQ(header.kind, FrameKind::kRecord);
  EXPECT_EQ(header.seq, 5u);
  EXPECT_EQ(FramePayload(header, frame), "hello");
  EXPECT_TRUE(FrameIsIntact(header, {.salt = 0x0123456789abcdef, .lsn = 8192}, frame));
}

// A segment file from lines of offset and 16 bytes; what is not named is zero.
SparseBytes GoldenSegment() {
  std::istringstream lines(ReadText("wal/testdata/log_v1.hex"));
  SparseBytes file;
  file.Resize(64 << 10);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    file.Write(std::stoull(line, nullptr, 16), FromHex(line.substr(colon + 1)));
  }
  return file;
}

TEST(WalFormatTest, LogOfVersion1IsRead) {
  DiskImage image;
  image.files["/d/log"] = GoldenSegment();
  FaultEnv env(image);
  const auto wal = OpenLog("/d/log", SmallLog(&env));
  ASSERT_NE(wal, nullptr);
  EXPECT_TRUE(wal->recovery().was_clean);
  EXPECT_EQ(StoreIdToString(wal->store_id()), "101112131415161718191a1b1c1d1e1f");
  const std::map<uint64_t, std::string> expected = {
      {1000, "first"},
      {1001, ""},
      // 1002 was not written, and its append reported it.
      {1003, "a record of 100 bytes, with sixty-odd bytes of padding" + std::string(46, '.')},
      {1004, "after reopening"},
  };
  EXPECT_EQ(ReadLog(wal.get()), expected);
  EXPECT_EQ(wal->next_seq(), 1005u);
  EXPECT_EQ(*wal->Append("goes on"), 1005u);
}

}  // namespace
}  // namespace emdb
