// What the tests of this folder share: a Console on temporary files.

#ifndef EMDB_TOOLS_CLI_TESTING_H_
#define EMDB_TOOLS_CLI_TESTING_H_

#include <cstdio>
#include <string>
#include <string_view>

#include "tools/cli/console.h"
#include "tools/owned_file.h"

namespace emdb::cli {

// Streams that can be written to and read back.
class TestConsole {
 public:
  // `input` is what the command reads. `env` is not owned.
  explicit TestConsole(Env* env, std::string_view input = "");

  Console* console() { return &console_; }
  // All that has been written so far.
  std::string out() const { return ReadBack(console_.out); }
  std::string err() const { return ReadBack(console_.err); }

 private:
  static std::string ReadBack(std::FILE* file);

  OwnedFile in_;
  OwnedFile out_;
  OwnedFile err_;
  Console console_;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_TESTING_H_
