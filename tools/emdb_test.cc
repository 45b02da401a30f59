// The built program, started by a shell: what depends on the descriptors that it is given.

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace emdb {
namespace {

// The exit code of a shell's command line, in which $emdb and $store stand for the program and this
// test's store.
int Sh(const std::string& command_line) {
  const std::string store =
      absl::StrCat(::testing::TempDir(), "/",
                   ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".emdb");
  const int status =
      std::system(absl::StrCat("emdb=tools/emdb; store='", store, "'; ", command_line).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(EmdbTest, AClosedStreamIsNoPlaceForAStore) {
  for (const std::string closed : {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"}) {
    ASSERT_EQ(Sh("$emdb put $store key value " + closed), 0) << closed;
    // These write and read while the store is open: into its file, had that got the descriptor.
    EXPECT_EQ(Sh("$emdb checkpoint $store " + closed), 0) << closed;
    Sh("$emdb shell $store --keep-going " + closed);
    Sh("echo 'scan\nnonsense' | $emdb shell $store --keep-going >&- 2>&-");
    EXPECT_EQ(Sh("$emdb verify $store"), 0) << closed;
    EXPECT_EQ(Sh("test \"$($emdb get $store key)\" = value"), 0) << closed;
  }
}

TEST(EmdbTest, AClosedInputIsAnErrorAndNotAnEmptyValue) {
  EXPECT_EQ(Sh("$emdb put $store key <&-"), 3);
  EXPECT_EQ(Sh("$emdb put $store key value"), 0);
  EXPECT_EQ(Sh("$emdb put $store key <&-"), 3);
  EXPECT_EQ(Sh("test \"$($emdb get $store key)\" = value"), 0);
  EXPECT_EQ(Sh("$emdb put $store key </dev/null"), 0);
  EXPECT_EQ(Sh("test -z \"$($emdb get $store key)\""), 0);
}

TEST(EmdbTest, OutputThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(Sh("$emdb put $store key value"), 0);
  EXPECT_EQ(Sh("$emdb get $store key >&-"), 3);
  EXPECT_EQ(Sh("$emdb verify $store"), 0);
}

}  // namespace
}  // namespace emdb
