#include "tools/cli/line_reader.h"

#include <sys/types.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "storage/status.h"
#include "tools/owned_file.h"

namespace emdb::cli {
namespace {

OwnedFile FileWith(std::string* text) {
  return OwnedFile(::fmemopen(text->data(), text->size(), "r"));
}

TEST(LineReaderTest, LinesAreCountedAndMayHoldAnyByte) {
  std::string text("one\n\ntw\0o\nlast", 14);
  const OwnedFile file = FileWith(&text);
  LineReader lines(file.get(), "input");
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "one");
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "");
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), std::string("tw\0o", 4));
  EXPECT_EQ(lines.line_number(), 3u);
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "last") << "a last line without newline counts";
  EXPECT_EQ(lines.bytes(), text.size());
  EXPECT_FALSE(*lines.Next());
}

TEST(LineReaderTest, ALinePutBackComesAgainWithItsNumber) {
  std::string text = "a\nb\n";
  const OwnedFile file = FileWith(&text);
  LineReader lines(file.get(), "input");
  ASSERT_TRUE(*lines.Next());
  lines.PutBack();
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "a");
  EXPECT_EQ(lines.line_number(), 1u);
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "b");
  EXPECT_EQ(lines.Error("bad").message(), "input, line 2: bad");
}

TEST(LineReaderTest, AReadErrorIsNotTheEnd) {
  const OwnedFile directory(std::fopen("/", "r"));
  ASSERT_NE(directory, nullptr);
  LineReader lines(directory.get(), "root");
  EXPECT_FALSE(lines.Next().ok());
}

TEST(LineReaderTest, AReadErrorWithinALineIsNotItsEnd) {
  struct FailingInput {
    int reads = 0;

    static ssize_t Read(void* cookie, char* buffer, size_t /*size*/) {
      if (static_cast<FailingInput*>(cookie)->reads++ > 0) {
        errno = EIO;
        return -1;
      }
      constexpr char kText[] = "whole\npart";
      std::memcpy(buffer, kText, sizeof(kText) - 1);
      return sizeof(kText) - 1;
    }
  };
  FailingInput input;
  const OwnedFile file(::fopencookie(&input, "r", {FailingInput::Read, nullptr, nullptr, nullptr}));
  LineReader lines(file.get(), "input");
  ASSERT_TRUE(*lines.Next());
  EXPECT_EQ(lines.line(), "whole");
  const absl::StatusOr<bool> part = lines.Next();
  EXPECT_EQ(part.status(), IoError(EIO, "read", "input"));
}

}  // namespace
}  // namespace emdb::cli
