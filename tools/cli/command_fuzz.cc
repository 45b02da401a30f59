// Fuzzes whole command lines: the first lines of the input are run one after another, as `emdb`
// runs them, with what is behind the first empty line as standard input. All stores are in memory:
// the one that each command works on, which holds two records, and the one that `salvage` makes.
// Whatever the lines say, the exit code is one of ExitCode, an error has a text, and both stores
// are whole behind them.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "storage/check.h"
#include "storage/fuzz_input.h"
#include "storage/mem_env.h"
#include "storage/status.h"
#include "tools/cli/cli.h"
#include "tools/cli/shell_words.h"
#include "tools/owned_file.h"

namespace emdb::cli {
namespace {

constexpr char kStore[] = "fuzz.emdb";
constexpr char kSalvaged[] = "salvaged.emdb";
constexpr size_t kMaxCommands = 4;

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

// The first word that is no option is STORE, which is always the same. Of the words behind it,
// what names a real file, of `load`, becomes standard input, and what names another store, of
// `salvage`, always the same one.
void PutNamesIn(std::vector<std::string>* words) {
  if (words->empty()) return;
  const std::string command = words->front();
  // Behind it a file's name may begin with a dash.
  if (command == "load") std::erase(*words, "--");
  bool has_store = false;
  for (size_t i = 1; i < words->size(); ++i) {
    std::string& word = (*words)[i];
    if (word.size() > 1 && word.starts_with("-")) continue;
    if (!has_store) {
      word = kStore;
      has_store = true;
    } else if (command == "load") {
      word = "-";
    } else if (command == "salvage") {
      word = kSalvaged;
    }
  }
}

// The input of a shell, which must not name real files either.
std::string WithoutLoads(std::string_view input) {
  std::vector<std::string> lines = absl::StrSplit(ToAbsl(input), '\n');
  for (std::string& line : lines) {
    const absl::StatusOr<std::vector<std::string>> words = SplitWords(line);
    if (words.ok() && !words->empty() && words->front() == "load") line = "load -";
  }
  return absl::StrJoin(lines, "\n");
}

// kPipeClosed is not among them: nobody closes the output.
bool IsExpected(ExitCode code) { return code >= ExitCode::kOk && code <= ExitCode::kSomeLost; }

// Whether an error says more than whose it is.
bool HasText(std::string_view error) {
  constexpr std::string_view kPrefix = "emdb: ";
  const size_t at = error.find(kPrefix);
  if (at == std::string_view::npos) return false;
  const std::string_view text = error.substr(at + kPrefix.size());
  return !text.empty() && text.front() != '\n';
}

void FuzzCommands(std::string_view text) {
  const size_t end = text.find("\n\n");
  const std::string commands(text.substr(0, end));
  const std::string input = end == std::string_view::npos ? "" : WithoutLoads(text.substr(end + 2));
  const std::unique_ptr<Env> env = NewMemEnv();
  EMDB_CHECK(Run({"put", kStore, "apple", "red"}, "", env.get()).code == ExitCode::kOk);
  EMDB_CHECK(Run({"put", kStore, "pear", "green"}, "", env.get()).code == ExitCode::kOk);
  size_t left = kMaxCommands;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(commands, '\n'))) {
    if (left-- == 0) break;
    absl::StatusOr<std::vector<std::string>> words = SplitWords(line);
    if (!words.ok()) continue;
    PutNamesIn(&*words);
    const Result result = Run(*words, input, env.get());
    EMDB_CHECK(IsExpected(result.code));
    EMDB_CHECK(result.code == ExitCode::kOk || HasText(result.error));
  }
  EMDB_CHECK(Run({"verify", kStore}, "", env.get()).code == ExitCode::kOk);
  const absl::StatusOr<bool> was_salvaged = env->Exists(kSalvaged);
  EMDB_CHECK(was_salvaged.ok());
  if (!*was_salvaged) return;
  EMDB_CHECK(Run({"verify", kSalvaged}, "", env.get()).code == ExitCode::kOk);
}

}  // namespace
}  // namespace emdb::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  emdb::cli::FuzzCommands(input.Rest());
  return 0;
}
