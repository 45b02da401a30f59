// CliTest: commands run on a store of the test's own.

#ifndef EMDB_TOOLS_CLI_CLI_FIXTURE_H_
#define EMDB_TOOLS_CLI_CLI_FIXTURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tools/cli/exit_code.h"

namespace emdb::cli {

struct Outcome {
  ExitCode code;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  CliTest();

  // Runs `emdb WORDS...`; a word "STORE" stands for this test's store.
  Outcome Run(std::vector<std::string> words, std::string_view input = "") const;
  // The same, for what must succeed; returns the output.
  std::string Out(std::vector<std::string> words, std::string_view input = "") const;

  void LoadFruit() const;
  // Overwrites bytes of the store file.
  void Break(uint64_t offset, uint64_t size) const;
  // Every byte behind the two header slots.
  void BreakAllPages() const;

  static constexpr uint64_t kPageSize = 8192;

  const std::string& store() const { return store_; }

 private:
  const std::string store_;
};

}  // namespace emdb::cli

#endif  // EMDB_TOOLS_CLI_CLI_FIXTURE_H_
