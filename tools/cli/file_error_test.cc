// Files that are not there, at whatever moment a command looks for them: never "no such key".

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/fault_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kStore[] = "dir/fruit.emdb";

// A disk with a store whose records are in the store file, but for one.
DiskImage DiskWithFruit() {
  FaultEnv env;
  const auto run = [&env](const std::vector<std::string>& words, std::string_view input) {
    TestConsole console(&env, input);
    EXPECT_EQ(RunEmdb(words, *console.console()), ExitCode::kOk) << console.err();
  };
  run({"load", kStore, "--quiet"}, "apple\tred\nbanana\tyellow\n");
  run({"checkpoint", kStore}, "");
  run({"put", kStore, "cherry", "dark red"}, "");
  return env.FullImage();
}

struct CommandLine {
  std::vector<std::string> words;
  std::string input = {};
};

// Runs it again and again on the same disk; all operations from the n-th one on fail with ENOENT,
// for every n. Returns how many of the runs failed.
int FailEachOperation(const CommandLine& line) {
  const DiskImage image = DiskWithFruit();
  int failed = 0;
  bool any_was_left = true;
  for (uint64_t n = 0; any_was_left; ++n) {
    FaultEnv env(image);
    uint64_t seen = 0;
    env.AddRule({.matches =
                     [&seen](FileOp, std::string_view) {
                       ++seen;
                       return true;
                     },
                 .skip = n,
                 .error_number = ENOENT});
    TestConsole console(&env, line.input);
    const ExitCode code = RunEmdb(line.words, *console.console());
    env.ClearRules();
    any_was_left = seen > n;
    if (code != ExitCode::kOk) ++failed;
    EXPECT_NE(code, ExitCode::kNotFound) << "operation " << n << ": " << console.err();
    EXPECT_THAT(console.err(), Not(HasSubstr("no such key"))) << "operation " << n;
  }
  return failed;
}

TEST(FileErrorTest, AMissingFileIsNoMissingKeyToAnyCommand) {
  const std::vector<CommandLine> lines = {
      {.words = {"get", kStore, "apple"}},
      {.words = {"put", kStore, "date", "brown"}},
      {.words = {"delete", kStore, "apple"}},
      {.words = {"scan", kStore}},
      {.words = {"load", kStore}, .input = "date\tbrown\n"},
      {.words = {"stats", kStore}},
      {.words = {"verify", kStore}},
      {.words = {"checkpoint", kStore}},
      {.words = {"compact", kStore}},
      {.words = {"wal-dump", kStore}},
      {.words = {"page-dump", kStore}},
      {.words = {"salvage", kStore, "dir/copy.emdb"}},
      {.words = {"shell", kStore}, .input = "get apple\ncheckpoint\nverify\n"},
  };
  for (const CommandLine& line : lines) {
    SCOPED_TRACE(line.words[0]);
    EXPECT_GT(FailEachOperation(line), 0);
  }
}

TEST(FileErrorTest, ASalvageThatFailsMidwaySaysWhatToRemove) {
  FaultEnv env(DiskWithFruit());
  env.AddRule({.matches =
                   [](FileOp op, std::string_view path) {
                     return op == FileOp::kWrite && path == "dir/copy.emdb";
                   },
               .skip = 1,
               .error_number = EIO});
  const auto salvage = [&env] {
    TestConsole console(&env);
    EXPECT_EQ(
        RunEmdb(std::vector<std::string>{"salvage", kStore, "dir/copy.emdb"}, *console.console()),
        ExitCode::kFailed);
    return console.err();
  };
  EXPECT_THAT(salvage(), HasSubstr("dir/copy.emdb is incomplete: remove it and its log, "
                                   "dir/copy.emdb.v4.wal*"));
  EXPECT_THAT(salvage(), Not(HasSubstr("incomplete"))) << "it was there before";
}

TEST(FileErrorTest, AScriptEndsWhereAFileIsMissing) {
  FaultEnv env(DiskWithFruit());
  env.AddRule(
      {.matches = [](FileOp op,
                     std::string_view path) { return op == FileOp::kWrite && path == kStore; },
       .error_number = ENOENT});
  TestConsole console(&env, "get none\ncheckpoint\nget apple\n");
  EXPECT_EQ(RunEmdb(std::vector<std::string>{"shell", kStore}, *console.console()),
            ExitCode::kFailed);
  EXPECT_THAT(console.err(), HasSubstr("line 2: "));
  EXPECT_THAT(console.err(), HasSubstr("No such file"));
  EXPECT_EQ(console.out(), "");
}

}  // namespace
}  // namespace emdb::cli
