#include "tools/cli/command.h"

namespace emdb::cli {

absl::Status Execute(const Command& command, const CommandContext& context) {
  const absl::Status status = command.run(context);
  return command.looks_keys_up ? status : AsFileError(status);
}

absl::Status AsFileError(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::FailedPreconditionError(status.message()) : status;
}

}  // namespace emdb::cli
