// Fuzzes what people and other programs write: command lines, escapes of keys and values, and
// dumps. What is read without an error is the same after it was written and read again.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/check.h"
#include "storage/fuzz_input.h"
#include "tools/cli/arguments.h"
#include "tools/cli/byte_format.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/mdb_dump.h"
#include "tools/cli/shell_words.h"
#include "tools/cli/tab_separated.h"
#include "tools/owned_file.h"

namespace emdb::cli {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

// False if the text is not such a dump.
template <typename Reader, typename... More>
bool ReadDump(std::string text, Records* records, More... more) {
  // fmemopen takes no empty file.
  if (text.empty()) return false;
  const OwnedFile file(::fmemopen(text.data(), text.size(), "r"));
  EMDB_CHECK(file != nullptr);
  LineReader lines(file.get(), "input");
  Reader reader(&lines, more...);
  Record record;
  for (;;) {
    const absl::StatusOr<bool> found = reader.Next(&record);
    if (!found.ok()) return false;
    if (!*found) return true;
    records->emplace_back(record.key, record.value);
  }
}

std::string WriteDump(const Records& records, bool print) {
  char* text = nullptr;
  size_t size = 0;
  {
    const OwnedFile file(::open_memstream(&text, &size));
    EMDB_CHECK(file != nullptr);
    Console console;
    console.out = file.get();
    MdbDumpWriter writer(&console, {.print = print});
    EMDB_CHECK(writer.Begin().ok());
    for (const auto& [key, value] : records) EMDB_CHECK(writer.Write(key, value).ok());
    EMDB_CHECK(writer.End().ok());
  }
  std::string written(text, size);
  std::free(text);
  return written;
}

void FuzzDump(std::string_view text) {
  Records records;
  if (!ReadDump<MdbDumpReader>(std::string(text), &records)) {
    records.clear();
    if (!ReadDump<TabSeparatedReader>(std::string(text), &records, RecordFormat())) return;
  }
  for (const bool print : {false, true}) {
    Records again;
    EMDB_CHECK(ReadDump<MdbDumpReader>(WriteDump(records, print), &again));
    EMDB_CHECK(again == records);
  }
}

void FuzzEscapes(std::string_view text) {
  for (const ByteFormat format : {ByteFormat::kText, ByteFormat::kHex, ByteFormat::kBase64}) {
    const absl::StatusOr<std::string> back = ParseBytes(format, FormatBytes(format, text));
    EMDB_CHECK(back.ok() && *back == text);
    const absl::StatusOr<std::string> bytes = ParseBytes(format, text);
    if (!bytes.ok()) continue;
    const absl::StatusOr<std::string> again = ParseBytes(format, FormatBytes(format, *bytes));
    EMDB_CHECK(again.ok() && *again == *bytes);
  }
}

void FuzzArguments(std::string_view text) {
  const absl::StatusOr<std::vector<std::string>> words = SplitWords(text);
  if (!words.ok()) return;
  const Syntax syntax = {
      .name = "command",
      .summary = "A command",
      .positionals = {{.name = "STORE", .help = "a store"},
                      {.name = "REST", .help = "more", .count = Positional::Count::kAny}},
      .options = {{.name = "switch", .help = "on or off"},
                  {.name = "text", .kind = Option::Kind::kText, .help = "any"},
                  {.name = "number",
                   .kind = Option::Kind::kNumber,
                   .default_value = "7",
                   .help = "a number"},
                  {.name = "choice",
                   .kind = Option::Kind::kChoice,
                   .default_value = "a",
                   .choices = {"a", "b"},
                   .help = "one of two"}}};
  const absl::StatusOr<Arguments> arguments = Arguments::Parse(syntax, *words);
  if (!arguments.ok()) return;
  EMDB_CHECK(arguments->help() || !arguments->positionals().empty());
  EMDB_CHECK(arguments->Text("choice") == "a" || arguments->Text("choice") == "b");
  if (!arguments->IsGiven("number")) EMDB_CHECK(arguments->Number("number") == 7);
}

}  // namespace
}  // namespace emdb::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  emdb::FuzzInput input(data, size);
  const uint8_t choice = input.Byte();
  const std::string_view text = input.Rest();
  switch (choice % 3) {
    case 0:
      emdb::cli::FuzzDump(text);
      break;
    case 1:
      emdb::cli::FuzzEscapes(text);
      break;
    default:
      emdb::cli::FuzzArguments(text);
  }
  return 0;
}
