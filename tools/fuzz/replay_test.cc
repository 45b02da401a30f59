// Runs a fuzzer's entry function over its corpus, and over a number of seeded changes of each file,
// as an ordinary test. EMDB_CORPUS is the directory, EMDB_CHANGES how many changes of each.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace emdb {
namespace {

// Numerical Recipes' generator is enough to vary bytes with, and the same everywhere.
class Changes {
 public:
  explicit Changes(uint64_t seed) : state_(seed) {}

  uint64_t Below(uint64_t limit) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % limit;
  }
  std::string Apply(std::string bytes) {
    for (uint64_t i = 1 + Below(4); i > 0 && !bytes.empty(); --i) {
      const size_t at = Below(bytes.size());
      switch (Below(3)) {
        case 0:
          bytes[at] = static_cast<char>(Below(256));
          break;
        case 1:
          bytes.erase(at, 1 + Below(8));
          break;
        default:
          bytes.insert(at, 1 + Below(8), static_cast<char>(Below(256)));
      }
    }
    return bytes;
  }

 private:
  uint64_t state_;
};

void RunOnce(const std::string& bytes) {
  EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
            0);
}

TEST(FuzzReplayTest, CorpusAndItsNeighbourhoodAreHandled) {
  const char* const directory = std::getenv("EMDB_CORPUS");
  ASSERT_NE(directory, nullptr);
  const char* const changes_text = std::getenv("EMDB_CHANGES");
  const uint64_t changes = changes_text == nullptr ? 100 : std::strtoull(changes_text, nullptr, 10);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files.push_back(entry.path());
  }
  ASSERT_FALSE(files.empty());
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(files[i]);
    std::ifstream in(files[i], std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    RunOnce(bytes);
    Changes random(i);
    for (uint64_t change = 0; change < changes; ++change) RunOnce(random.Apply(bytes));
  }
}

}  // namespace
}  // namespace emdb
