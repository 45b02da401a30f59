// When a command opens its store: after all that can be wrong with its arguments and its input.

#include "tools/cli/store_handle.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/posix_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_fixture.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

using ::testing::HasSubstr;

using StoreHandleTest = CliTest;

TEST_F(StoreHandleTest, WhatFailsOnItsArgumentsMakesNoStore) {
  const std::string long_key(4097, 'k');
  const std::vector<std::vector<std::string>> command_lines = {{"put", "STORE", "", "value"},
                                                               {"put", "STORE", "a\\q", "value"},
                                                               {"put", "STORE", "key", "\\q"},
                                                               {"put", "STORE", long_key, "value"},
                                                               {"load", "STORE", "/nonexistent"},
                                                               {"load", "STORE", "--batch=0"},
                                                               {"load", "STORE", "/"}};
  for (const std::vector<std::string>& words : command_lines) {
    EXPECT_NE(Run(words, "a\t1\n").code, ExitCode::kOk) << words.back();
    EXPECT_FALSE(*PosixEnv()->Exists(store())) << words.back();
  }
  EXPECT_EQ(Run({"put", "STORE", "", "value"}).code, ExitCode::kUsage);
  EXPECT_EQ(Run({"put", "STORE", long_key, "value"}).code, ExitCode::kUsage);
}

TEST_F(StoreHandleTest, InputThatBeginsMalformedMakesNoStore) {
  const Outcome outcome = Run({"load", "STORE"}, "nonsense\n");
  EXPECT_EQ(outcome.code, ExitCode::kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("line 1: "));
  EXPECT_FALSE(*PosixEnv()->Exists(store()));
}

TEST_F(StoreHandleTest, ArgumentsAreLookedAtBeforeAStoreIsMissed) {
  for (const char* command : {"get", "delete"}) {
    EXPECT_EQ(Run({command, "STORE", "a\\q"}).code, ExitCode::kUsage) << command;
  }
  for (const char* command : {"scan", "count", "dump"}) {
    EXPECT_EQ(Run({command, "STORE", "--from=a\\q"}).code, ExitCode::kUsage) << command;
  }
}

// Input that uses the store itself before it has anything to read: `emdb get ... | emdb put ...`.
struct BusyInput {
  const std::string store;
  int reads = 0;
  ExitCode code = ExitCode::kFailed;

  static ssize_t Read(void* cookie, char* buffer, size_t /*size*/) {
    auto* const input = static_cast<BusyInput*>(cookie);
    if (input->reads++ > 0) return 0;
    TestConsole console(PosixEnv());
    const std::vector<std::string> words = {"put", input->store, "first", "1"};
    input->code = RunEmdb(words, *console.console());
    constexpr char kText[] = "second\t2\n";
    std::memcpy(buffer, kText, sizeof(kText) - 1);
    return sizeof(kText) - 1;
  }
};

TEST_F(StoreHandleTest, InputIsAwaitedBeforeTheStoreIsInUse) {
  const std::vector<std::vector<std::string>> command_lines = {{"put", store(), "second"},
                                                               {"load", store(), "--quiet"}};
  for (const std::vector<std::string>& words : command_lines) {
    BusyInput input{.store = store()};
    std::FILE* const in = ::fopencookie(&input, "r", {BusyInput::Read, nullptr, nullptr, nullptr});
    ASSERT_NE(in, nullptr);
    TestConsole console(PosixEnv());
    console.console()->in = in;
    EXPECT_EQ(RunEmdb(words, *console.console()), ExitCode::kOk) << console.err();
    EXPECT_EQ(input.code, ExitCode::kOk) << words[0] << " has locked the store";
    std::fclose(in);
  }
  EXPECT_EQ(Out({"get", "STORE", "first", "second"}), "1\n2\n");
}

}  // namespace
}  // namespace emdb::cli
