#include "tools/cli/console.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tools/cli/exit_code.h"

namespace emdb::cli {
namespace {

TEST(ConsoleTest, AReaderThatHasGoneIsCancelled) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::close(ends[0]), 0);
  std::FILE* const out = ::fdopen(ends[1], "w");
  Console console;
  console.out = out;
  ASSERT_TRUE(console.Write("data").ok()) << "it fits into the buffer";
  const absl::Status status = console.Flush();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(ExitCodeFor(status), ExitCode::kPipeClosed);
  std::fclose(out);
}

TEST(ConsoleTest, AFullDiskIsAnError) {
  std::FILE* const out = std::fopen("/dev/full", "w");
  ASSERT_NE(out, nullptr);
  Console console;
  console.out = out;
  const absl::Status status = console.Write(std::string(1 << 20, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(ExitCodeFor(status), ExitCode::kFailed);
  std::fclose(out);
}

}  // namespace
}  // namespace emdb::cli
