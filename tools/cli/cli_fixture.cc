#include "tools/cli/cli_fixture.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/posix_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/testing.h"

namespace emdb::cli {

CliTest::CliTest()
    : store_(absl::StrCat(::testing::TempDir(), "/",
                          ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                          ".emdb")) {}

Outcome CliTest::Run(std::vector<std::string> words, std::string_view input) const {
  for (std::string& word : words) {
    if (word == "STORE") word = store_;
  }
  TestConsole console(PosixEnv(), input);
  const ExitCode code = RunEmdb(words, *console.console());
  return {.code = code, .out = console.out(), .err = console.err()};
}

std::string CliTest::Out(std::vector<std::string> words, std::string_view input) const {
  const Outcome outcome = Run(std::move(words), input);
  EXPECT_EQ(outcome.code, ExitCode::kOk) << outcome.err;
  return outcome.out;
}

void CliTest::LoadFruit() const {
  Out({"load", "STORE", "--quiet"},
      "apple\tred\nbanana\tyellow\nblueberry\tblue\ncherry\tdark red\n");
}

void CliTest::Break(uint64_t offset, uint64_t size) const {
  const auto file = PosixEnv()->OpenFile(store(), {.write = true});
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_GE(*(*file)->Size(), offset + size);
  ASSERT_TRUE((*file)->WriteAt(offset, std::string(size, '\x55')).ok());
  ASSERT_TRUE((*file)->Close().ok());
}

void CliTest::BreakAllPages() const {
  const auto file = PosixEnv()->OpenFile(store(), {});
  ASSERT_TRUE(file.ok()) << file.status();
  constexpr uint64_t kHeaders = 2 * kPageSize;
  const uint64_t size = *(*file)->Size();
  ASSERT_GT(size, kHeaders);
  Break(kHeaders, size - kHeaders);
}

}  // namespace emdb::cli
