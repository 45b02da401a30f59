#include "tools/cli/exit_code.h"

namespace emdb::cli {

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kCorruption;
    case absl::StatusCode::kAborted:
      return ExitCode::kSomeLost;
    case absl::StatusCode::kCancelled:
      return ExitCode::kPipeClosed;
    default:
      return ExitCode::kFailed;
  }
}

std::string DescribeExitCodes() {
  return "Exit codes:\n"
         "  0    done\n"
         "  1    a key that was asked for is not in the store\n"
         "  2    the command line, or a line of the input, is wrong\n"
         "  3    I/O error, no space, no permission, no such store, or it is in use, or in the "
         "way\n"
         "  4    corruption: bytes on disk cannot be right; salvage: nothing is readable\n"
         "  5    salvage: the rest was copied, but some was lost\n"
         "  141  whoever read the output stopped reading\n";
}

}  // namespace emdb::cli
