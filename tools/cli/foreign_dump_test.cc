// emdb's dumps against the programs whose format they are: mdb_dump and mdb_load (lmdb-utils),
// db_dump and db_load (db-util). Skipped where these are not installed.

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/posix_env.h"
#include "tools/cli/byte_format.h"
#include "tools/cli/cli.h"
#include "tools/cli/testing.h"

namespace emdb::cli {
namespace {

bool IsInstalled(const std::string& program) {
  return std::system(absl::StrCat("command -v ", program, " > /dev/null 2>&1").c_str()) == 0;
}

// Runs a shell command with `input` and returns its output.
std::string RunProgram(const std::string& command, const std::string& input) {
  const std::string input_path = absl::StrCat(::testing::TempDir(), "/input");
  const std::string output_path = absl::StrCat(::testing::TempDir(), "/output");
  const auto write = [&](std::FILE* file) {
    EXPECT_EQ(std::fwrite(input.data(), 1, input.size(), file), input.size());
    EXPECT_EQ(std::fclose(file), 0);
  };
  write(std::fopen(input_path.c_str(), "w"));
  const int status =
      std::system(absl::StrCat(command, " < ", input_path, " > ", output_path).c_str());
  EXPECT_EQ(status, 0) << command;
  std::string output;
  std::FILE* const file = std::fopen(output_path.c_str(), "r");
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
    output.push_back(static_cast<char>(c));
  EXPECT_EQ(std::fclose(file), 0);
  return output;
}

std::string RunOk(const std::vector<std::string>& words, const std::string& input = "") {
  TestConsole console(PosixEnv(), input);
  EXPECT_EQ(RunEmdb(words, *console.console()), ExitCode::kOk) << console.err();
  return console.out();
}

struct Peer {
  std::string name;
  std::string dump;
  std::string load;
  std::string file_suffix;
};

std::ostream& operator<<(std::ostream& out, const Peer& peer) { return out << peer.name; }

class ForeignDumpTest : public ::testing::TestWithParam<Peer> {
 protected:
  void SetUp() override {
    for (const std::string program : {"mdb_dump", "db_dump"}) {
      if (GetParam().dump.starts_with(program) && !IsInstalled(program)) {
        GTEST_SKIP() << program << " is not installed";
      }
    }
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(::testing::TempDir(), "/", GetParam().name, "-",
                        ::testing::UnitTest::GetInstance()->current_test_info()->line(), name);
  }

  // Records with every byte in keys and values, and enough of them for several pages.
  std::string MakeStore() const {
    std::string tsv = "empty value\t\n";
    for (int i = 0; i < 256; ++i) {
      const char byte = static_cast<char>(i);
      absl::StrAppend(&tsv, "byte ", FormatBytes(ByteFormat::kText, {&byte, 1}), "\t",
                      FormatBytes(ByteFormat::kText, std::string(20, byte)), "\n");
    }
    for (int i = 0; i < 2000; ++i) absl::StrAppend(&tsv, "number ", i, "\tvalue of ", i, "\n");
    std::string store = Path(".emdb");
    RunOk({"load", store, "--quiet"}, tsv);
    return store;
  }
};

TEST_P(ForeignDumpTest, ThePeerReadsOurDumpAndWeReadItsDump) {
  const std::string store = MakeStore();
  const std::string ours = RunOk({"scan", store, "--format=hex"});
  for (const std::string print : {"", "--print"}) {
    const std::string database = Path(print + GetParam().file_suffix);
    std::vector<std::string> words = {"dump", store, "--format=" + GetParam().name};
    if (!print.empty()) words.push_back(print);
    RunProgram(absl::StrCat(GetParam().load, " ", database), RunOk(words));
    const std::string theirs = RunProgram(absl::StrCat(GetParam().dump, " ", database), "");
    const std::string copy = Path(print + ".copy.emdb");
    RunOk({"load", copy, "--quiet"}, theirs);
    EXPECT_TRUE(RunOk({"scan", copy, "--format=hex"}) == ours) << GetParam().name << " " << print;
  }
}

// Ours keep of such keys little more than the number.
TEST_P(ForeignDumpTest, KeysWithLongCommonPrefixesFitIntoThePeersDatabase) {
  const std::string prefix(500, 'p');
  constexpr int kRecords = 100'000;
  std::string tsv;
  for (int i = 0; i < kRecords; ++i) absl::StrAppend(&tsv, prefix, 100'000 + i, "\tv\n");
  const std::string store = Path(".emdb");
  RunOk({"load", store, "--quiet"}, tsv);
  RunOk({"checkpoint", store});
  const std::string database = Path(GetParam().file_suffix);
  const std::string dump =
      RunOk({"dump", store, "--format=" + GetParam().name, "--print", "--quiet"});
  RunProgram(absl::StrCat(GetParam().load, " ", database), dump);
  // A key and a value are a line each.
  EXPECT_EQ(
      RunProgram(absl::StrCat("{ ", GetParam().dump, " ", database, " | grep -c '^ '; }"), ""),
      absl::StrCat(2 * kRecords, "\n"));
}

TEST_P(ForeignDumpTest, PrintedTextIsReadRightlyOrRefused) {
  for (const std::string value : {"C:\\2024", "C:\\new", "a\\\\b", "\\5c", "plain", "\n\xff"}) {
    const std::string store = Path(".emdb");
    RunOk({"put", store, "key", FormatBytes(ByteFormat::kText, value)});
    const std::string database = Path(GetParam().file_suffix);
    RunProgram(absl::StrCat(GetParam().load, " ", database),
               RunOk({"dump", store, "--format=" + GetParam().name}));
    const std::string theirs = RunProgram(absl::StrCat(GetParam().dump, " -p ", database), "");
    const std::string copy = Path(".copy.emdb");
    TestConsole console(PosixEnv(), theirs);
    const std::vector<std::string> words = {"load", copy};
    const ExitCode code = RunEmdb(words, *console.console());
    const bool is_warned =
        code == ExitCode::kUsage || absl::StrContains(console.err(), "without -p");
    const bool is_ambiguous =
        GetParam().name == "mdb_dump" && value.find('\\') != std::string::npos;
    EXPECT_TRUE(is_warned || !is_ambiguous) << value;
    if (is_warned) continue;
    EXPECT_EQ(RunOk({"get", copy, "key", "--raw"}), value);
  }
}

INSTANTIATE_TEST_SUITE_P(Peers, ForeignDumpTest,
                         ::testing::Values(Peer{.name = "mdb_dump",
                                                .dump = "mdb_dump -n",
                                                .load = "mdb_load -n",
                                                .file_suffix = ".mdb"},
                                           Peer{.name = "db_dump",
                                                .dump = "db_dump",
                                                .load = "db_load",
                                                .file_suffix = ".db"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace emdb::cli
