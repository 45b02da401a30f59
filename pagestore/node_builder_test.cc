#include "pagestore/node_builder.h"

#include <cstdint>
#include <iostream>
#include <random>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "pagestore/node.h"

namespace emdb {
namespace {

TEST(ShortestSeparatorTest, IsAboveTheLowAndNotAboveTheHighKey) {
  EXPECT_EQ(ShortestSeparator("a", "b"), "b");
  EXPECT_EQ(ShortestSeparator("abc", "abd"), "abd");
  EXPECT_EQ(ShortestSeparator("abc", "abdzzz"), "abd");
  EXPECT_EQ(ShortestSeparator("ab", "abc"), "abc");
  EXPECT_EQ(ShortestSeparator("a", std::string("a\0b", 3)), std::string("a\0", 2));
}

class NodeItemsTest : public testing::TestWithParam<uint32_t> {};

// Fills nodes of each level and page size to the last byte that NodeSize allows.
TEST_P(NodeItemsTest, ANodeIsNeverLargerThanItWasMeasured) {
  const uint32_t page_size = GetParam();
  constexpr uint64_t kSeed = 3;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 6; ++round) {
    const uint8_t level = round % 2;
    std::set<std::string> keys;
    const std::string prefix(random() % 200, 'p');
    for (int i = 0; i < 6000; ++i) {
      keys.insert(prefix + std::to_string(random() % 100000) + std::string(random() % 9, 'x'));
    }
    NodeItems items(level);
    for (const std::string& key : keys) {
      const std::string payload(level == 0 ? random() % 40 : kPageRefSize, '\x11');
      const NodeItems::Entry entry = {prefix, std::string_view(key).substr(prefix.size()),
                                      CellKind::kInline, payload};
      const size_t size = items.NodeSizeWith(entry);
      if (size > NodeCapacity(page_size)) break;
      items.Add(entry);
      ASSERT_EQ(items.NodeSize(), size);
    }
    std::string page(page_size, '\x77');
    items.Build(0, items.size(), {9, 3}, page.data(), page_size);
    ASSERT_TRUE(CheckNode(page.data(), page_size, level).ok());
    ASSERT_LE(PageDataEndField(page.data()), items.NodeSize());
    // Nor much smaller: pages are to be full.
    ASSERT_GT(PageDataEndField(page.data()), page_size * 95 / 100);
  }
}

INSTANTIATE_TEST_SUITE_P(PageSizes, NodeItemsTest, testing::Values(8192, 16384, 32768, 65536));

TEST(NodeItemsTest, PartsOfARunAreMeasuredAndBuiltOnTheirOwn) {
  NodeItems items(0);
  for (int i = 0; i < 50; ++i) {
    const std::string key = (i < 25 ? "first" : "second") + std::to_string(100 + i);
    items.Add({key, {}, CellKind::kInline, "value"});
  }
  std::string page(kMinPageSize, '\0');
  items.Build(25, 50, {9, 3}, page.data(), kMinPageSize);
  const LeafView leaf(page.data());
  EXPECT_EQ(leaf.count(), 25u);
  EXPECT_EQ(leaf.prefix(), "second1");
  EXPECT_EQ(leaf.key(0), "second125");
  EXPECT_LE(PageDataEndField(page.data()), items.NodeSize(25, 50));
}

TEST(NodeItemsTest, AppendContinuesARun) {
  NodeItems items(0);
  items.Add({"a", {}, CellKind::kInline, "1"});
  NodeItems more(0);
  more.Add({"b", {}, CellKind::kInline, "2"});
  items.Append(more);
  EXPECT_EQ(items.size(), 2u);
  EXPECT_EQ(items.key(1), "b");
}

}  // namespace
}  // namespace emdb
