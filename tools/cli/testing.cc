#include "tools/cli/testing.h"

#include "storage/check.h"

namespace emdb::cli {

TestConsole::TestConsole(Env* env, std::string_view input)
    : in_(std::tmpfile()), out_(std::tmpfile()), err_(std::tmpfile()) {
  EMDB_CHECK(in_ != nullptr && out_ != nullptr && err_ != nullptr);
  EMDB_CHECK(std::fwrite(input.data(), 1, input.size(), in_.get()) == input.size());
  std::rewind(in_.get());
  console_.in = in_.get();
  console_.out = out_.get();
  console_.err = err_.get();
  console_.env = env;
}

std::string TestConsole::ReadBack(std::FILE* file) {
  EMDB_CHECK(std::fflush(file) == 0);
  const long end = std::ftell(file);
  EMDB_CHECK(end >= 0);
  std::rewind(file);
  std::string text(static_cast<size_t>(end), '\0');
  EMDB_CHECK(std::fread(text.data(), 1, text.size(), file) == text.size());
  EMDB_CHECK(std::fseek(file, end, SEEK_SET) == 0);
  return text;
}

}  // namespace emdb::cli
