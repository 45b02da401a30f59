#include "storage/fresh_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/check.h"

namespace emdb {
namespace {

// Pages of the range that memory has been taken for.
size_t ResidentPages(const FreshMemory& memory) {
  const size_t page_size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident((memory.size() + page_size - 1) / page_size);
  EMDB_CHECK(mincore(memory.data(), memory.size(), resident.data()) == 0);
  return static_cast<size_t>(std::count_if(resident.begin(), resident.end(),
                                           [](unsigned char r) { return (r & 1) != 0; }));
}

TEST(FreshMemoryTest, TakesMemoryOnlyAsItIsTouched) {
  const FreshMemory memory = *FreshMemory::Map(size_t{1} << 20, "a test");
  // Where the system gives huge pages unasked the first touch would take a whole one.
  (void)madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
  EXPECT_EQ(ResidentPages(memory), 0u);
  EXPECT_EQ(memory.data()[5000], 0);
  memory.data()[5000] = 1;
  EXPECT_EQ(ResidentPages(memory), 1u);
}

TEST(FreshMemoryTest, HoldsZerosAtFirst) {
  const FreshMemory memory = *FreshMemory::Map(300'000, "a test");
  EXPECT_TRUE(
      std::all_of(memory.data(), memory.data() + memory.size(), [](char c) { return c == 0; }));
}

TEST(FreshMemoryTest, BeginsAtAHugePageIfItIsAsLongAsOne) {
  FreshMemory memory = *FreshMemory::Map(2 * FreshMemory::kHugePageBytes, "a test");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % FreshMemory::kHugePageBytes, 0u);
  memory.PreferHugePages(FreshMemory::kHugePageBytes);
  memory.data()[memory.size() - 1] = 1;
  EXPECT_EQ(memory.data()[memory.size() - 1], 1);
}

TEST(FreshMemoryTest, CanBeMovedToWhereAnotherIs) {
  FreshMemory memory = *FreshMemory::Map(4096, "a test");
  char* const data = memory.data();
  data[0] = 7;
  FreshMemory other = *FreshMemory::Map(8192, "a test");
  other = std::move(memory);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.size(), 4096u);
  EXPECT_EQ(other.data()[0], 7);
}

TEST(FreshMemoryTest, SaysWhatThereAreNoAddressesFor) {
  const absl::Status status = FreshMemory::Map(size_t{1} << 60, "a test of limits").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("a test of limits"));
}

}  // namespace
}  // namespace emdb
