// The bytes on disk: what FORMAT.md says, and a log that was written by format version 1 when it
// was new.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "storage/fault_env.h"
#include "wal/record_format.h"
#include "wal/testing.h"

namespace emdb {
namespace {

constexpr char kPath[] = "/d/log";
constexpr char kBufferPath[] = "/d/log.buffer";
constexpr uint64_t kFileBytes = 64 << 10;

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

// A file from lines of offset and 16 bytes; what is not named is zero.
SparseBytes GoldenFile(const std::string& name) {
  std::istringstream lines(ReadText("wal/testdata/" + name));
  SparseBytes file;
  file.Resize(kFileBytes);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    file.Write(std::stoull(line, nullptr, 16), FromHex(line.substr(colon + 1)));
  }
  return file;
}

TEST(WalFormatTest, LogOfVersion1IsRead) {
  DiskImage image;
  image.files[kPath] = GoldenFile("log_v1.hex");
  FaultEnv env(image);
  const auto wal = OpenLog(kPath, SmallLog(&env));
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

// Logs that were not closed. WriteCrashedLogs, below, made their files.

DiskImage GoldenLog(const std::string& name) {
  DiskImage image;
  image.files[kPath] = GoldenFile(name + ".hex");
  image.files[kBufferPath] = GoldenFile(name + ".buffer.hex");
  return image;
}

// Opens `image` to read and to go on, and expects `records` and `report` both times.
void ExpectFound(const DiskImage& image, const std::map<uint64_t, std::string>& records,
                 const WalRecovery& report) {
  for (const bool read_only : {true, false}) {
    SCOPED_TRACE(read_only ? "to read" : "to go on");
    FaultEnv env(image);
    WalOptions options = SmallLog(&env);
    options.read_only = read_only;
    const auto wal = OpenLog(kPath, options);
    ASSERT_NE(wal, nullptr);
    EXPECT_EQ(wal->recovery().first_seq, report.first_seq);
    EXPECT_EQ(wal->recovery().records, report.records);
    EXPECT_EQ(wal->recovery().records_from_buffer, report.records_from_buffer);
    EXPECT_EQ(wal->recovery().segments, report.segments);
    EXPECT_EQ(wal->recovery().bytes_cut, report.bytes_cut);
    EXPECT_EQ(wal->recovery().was_clean, report.was_clean);
    EXPECT_EQ(ReadLog(wal.get()), records);
    EXPECT_EQ(wal->next_seq(), report.first_seq + report.records);
    if (read_only) continue;
    const uint64_t next = wal->next_seq();
    EXPECT_EQ(*wal->Append("goes on"), next);
    ASSERT_OK(wal->Close());
    std::map<uint64_t, std::string> more = records;
    more[next] = "goes on";
    EXPECT_EQ(ReadLog(OpenLog(kPath, options).get()), more);
  }
}

TEST(WalFormatTest, KilledLogOfVersion1IsRecovered) {
  const std::map<uint64_t, std::string> records = {
      {2000, "of a log that was closed"},
      {2001, "written"},
      {2002, "written, with a witness"},
      // In the append buffer only; the last two in a segment that has no file.
      {2003, "appended"},
      {2004, "behind a rotation"},
      {2005, std::string(100, '.')},
  };
  ExpectFound(GoldenLog("log_v1_killed"), records,
              {.first_seq = 2000, .records = 6, .records_from_buffer = 3, .segments = 1});
}

TEST(WalFormatTest, TornLogOfVersion1IsCut) {
  const std::map<uint64_t, std::string> records = {
      {3000, "of a log that was closed"}, {3001, "written"}, {3002, "written, with a witness"},
      // 3003 was torn, and 3004 is whole behind it.
  };
  ExpectFound(GoldenLog("log_v1_torn"), records,
              {.first_seq = 3000, .records = 3, .segments = 1, .bytes_cut = 19});
}

// A log that is open on `env`, behind a resume frame; three records from `first_seq` on are in its
// file.
std::unique_ptr<Wal> ResumedLog(FaultEnv* env, uint64_t first_seq) {
  {
    const auto wal = OpenLog(kPath, SmallLog(env));
    EXPECT_OK(wal->Truncate(first_seq));
    EXPECT_OK(wal->Append("of a log that was closed").status());
  }
  auto wal = OpenLog(kPath, SmallLog(env));
  for (const std::string_view record : {"written", "written, with a witness"}) {
    EXPECT_OK(wal->Append(record).status());
    EXPECT_OK(wal->Flush());
  }
  return wal;
}

DiskImage KilledLog() {
  FaultEnv env(2);
  const auto wal = ResumedLog(&env, 2000);
  env.AddRule({.matches = [](FileOp op, std::string_view path) {
    return op == FileOp::kWrite && path == kPath;
  }});
  EXPECT_OK(wal->Append("appended").status());
  // From here on nothing is written unless somebody needs it.
  EXPECT_FALSE(wal->Flush().ok());
  EXPECT_EQ(*wal->Rotate(), 2004u);
  EXPECT_OK(wal->Append("behind a rotation").status());
  EXPECT_OK(wal->Append(std::string(100, '.')).status());
  return env.FullImage();
}

// The second sector of the last group has reached the disk, the first one and the buffer have not.
DiskImage TornLog() {
  FaultEnv env(3);
  const auto wal = ResumedLog(&env, 3000);
  const DiskImage before = env.FullImage();
  EXPECT_OK(wal->Append(std::string(500, 't')).status());
  EXPECT_OK(wal->Append("behind the torn one").status());
  EXPECT_OK(wal->Flush());
  DiskImage image = env.FullImage();
  image.files[kPath].Write(4096, before.files.at(kPath).Read(4096, 512));
  image.files[kBufferPath] = before.files.at(kBufferPath);
  return image;
}

void WriteGoldenFile(const std::string& name, const SparseBytes& file) {
  constexpr size_t kRowBytes = 16;
  EXPECT_EQ(file.size(), kFileBytes);
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream text(path);
  for (uint64_t offset = 0; offset < file.size(); offset += kRowBytes) {
    const std::string row = file.Read(offset, kRowBytes);
    if (row == std::string(kRowBytes, '\0')) continue;
    char digits[8];
    std::snprintf(digits, sizeof(digits), "%05x:", static_cast<unsigned>(offset));
    text << digits;
    for (const char c : row) {
      std::snprintf(digits, sizeof(digits), " %02x", static_cast<unsigned char>(c));
      text << digits;
    }
    text << "\n";
  }
  EXPECT_TRUE(text.good());
  std::cout << path << std::endl;
}

// For a new version of the format: the old files stay, and must be read for ever. What was written
// is to be copied to wal/testdata/:
//   bazel run //wal:wal_format_test -- --gtest_also_run_disabled_tests
//   --gtest_filter=*WriteCrashed*
TEST(WalFormatTest, DISABLED_WriteCrashedLogs) {
  for (const auto& [name, image] :
       {std::pair("log_v1_killed", KilledLog()), std::pair("log_v1_torn", TornLog())}) {
    WriteGoldenFile(std::string(name) + ".hex", image.files.at(kPath));
    WriteGoldenFile(std::string(name) + ".buffer.hex", image.files.at(kBufferPath));
  }
}

}  // namespace
}  // namespace emdb
