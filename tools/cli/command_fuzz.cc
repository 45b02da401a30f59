// Fuzzes whole command lines: the first lines of the input are run one after another, as `emdb`
// runs them, on a store in memory, with what is behind the first empty line as standard input.
// Whatever they say, the exit code is one of those that the help lists, an error has a text, and
// the store is whole behind them.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "storage/check.h"
#include "storage/fuzz_input.h"
#include "storage/mem_env.h"
#include "tools/cli/cli.h"
#include "tools/cli/shell_words.h"

namespace emdb::cli {
namespace {

constexpr char kStore[] = "fuzz.emdb";
constexpr size_t kMaxCommands = 4;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OwnedFile = std::unique_ptr<std::FILE, CloseFile>;

struct Result {
  ExitCode code;
  std::string error;
};

Result Run(const std::vector<std::string>& words, std::string_view input, Env* env) {
  // fmemopen takes no empty file.
  std::string bytes(input.empty() ? "\n" : input);
  const OwnedFile in(::fmemopen(bytes.data(), bytes.size(), "r"));
  const OwnedFile out(std::fopen("/dev/null", "w"));
  char* text = nullptr;
  size_t size = 0;
  OwnedFile err(::open_memstream(&text, &size));
  EMDB_CHECK(in != nullptr && out != nullptr && err != nullptr);
  Console console;
  console.in = in.get();
  console.out = out.get();
  console.err = err.get();
  console.env = env;
  Result result = {.code = RunEmdb(words, console), .error = {}};
  err.reset();
  result.error.assign(text, size);
  std::free(text);
  return result;
}

// The store is always the one in memory.
void PutStoreIn(std::vector<std::string>* words) {
  for (size_t i = 1; i < words->size(); ++i) {
    std::string& word = (*words)[i];
    if (word.starts_with("-")) continue;
    word = kStore;
    return;
  }
}

void FuzzCommands(std::string text) {
  // `load` reads real files: a fuzzer must not get out of its own directory.
  std::replace(text.begin(), text.end(), '/', '_');
  const size_t end = text.find("\n\n");
  const std::string commands = text.substr(0, end);
  const std::string input = end == std::string::npos ? "" : text.substr(end + 2);
  const std::unique_ptr<Env> env = NewMemEnv();
  EMDB_CHECK(Run({"put", kStore, "apple", "red"}, "", env.get()).code == ExitCode::kOk);
  EMDB_CHECK(Run({"put", kStore, "pear", "green"}, "", env.get()).code == ExitCode::kOk);
  size_t left = kMaxCommands;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(commands, '\n'))) {
    if (left-- == 0) break;
    absl::StatusOr<std::vector<std::string>> words = SplitWords(line);
    if (!words.ok()) continue;
    PutStoreIn(&*words);
    const Result result = Run(*words, input, env.get());
    EMDB_CHECK(DescribeExitCodes().find(std::to_string(static_cast<int>(result.code))) !=
               std::string::npos);
    // A key that is not there is told by the exit code alone.
    EMDB_CHECK(result.code == ExitCode::kOk || result.code == ExitCode::kNotFound ||
               !result.error.empty());
  }
  EMDB_CHECK(Run({"verify", kStore}, "", env.get()).code == ExitCode::kOk);
}

}  // namespace
}  // namespace emdb::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  emdb::cli::FuzzCommands(std::string(input.Rest()));
  return 0;
}
