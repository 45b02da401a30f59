#include "tools/cli/exit_code.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace emdb::cli {
namespace {

TEST(ExitCodeTest, EachKindOfErrorHasItsCode) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeFor(absl::NotFoundError("")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeFor(absl::InvalidArgumentError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeFor(absl::DataLossError("")), ExitCode::kCorruption);
  EXPECT_EQ(ExitCodeFor(absl::AbortedError("")), ExitCode::kSomeLost);
  EXPECT_EQ(ExitCodeFor(absl::CancelledError("")), ExitCode::kPipeClosed);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeFor(absl::ResourceExhaustedError("")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeFor(absl::FailedPreconditionError("")), ExitCode::kFailed);
}

TEST(ExitCodeTest, TheHelpListsEachCode) {
  for (const ExitCode code :
       {ExitCode::kOk, ExitCode::kNotFound, ExitCode::kUsage, ExitCode::kFailed,
        ExitCode::kCorruption, ExitCode::kSomeLost, ExitCode::kPipeClosed}) {
    EXPECT_TRUE(
        absl::StrContains(DescribeExitCodes(), absl::StrCat("  ", static_cast<int>(code), " ")));
  }
}

}  // namespace
}  // namespace emdb::cli
