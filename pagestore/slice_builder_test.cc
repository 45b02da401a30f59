#include "pagestore/slice_builder.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "pagestore/frame_arena.h"
#include "pagestore/free_space.h"
#include "pagestore/node.h"
#include "pagestore/slice_filter.h"
#include "storage/epoch.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;

struct Change {
  bool is_deletion = false;
  std::string payload;

  friend bool operator==(const Change&, const Change&) = default;
};
using Records = std::map<std::string, Change>;

class SliceBuilderTest : public testing::Test {
 protected:
  SliceBuilderTest()
      : file_(OpenStoreFile(&env_, "dir/slices", {.write = true, .create = true}).value(),
              kPageSize, StoreId{}),
        cache_(&file_, *FrameArena::Create(size_t{4} << 20, file_.page_size()), &epoch_),
        free_space_(&file_),
        writer_(&file_, &free_space_, &cache_) {
    StoreHeader header;
    header.page_size = kPageSize;
    header.generation = kFirstGeneration;
    free_space_.Reset(header);
  }

  std::vector<SliceRef> Build(const Records& records) {
    SliceBuilder builder(
        {.file = &file_, .writer = &writer_, .cache = &cache_, .generation = kFirstGeneration + 1});
    for (const auto& [key, change] : records) {
      const CellKind kind = change.is_deletion ? CellKind::kTombstone : CellKind::kInline;
      EXPECT_EQ(builder.Add({key, {}, kind, change.payload}), absl::OkStatus());
    }
    std::vector<SliceRef> slices = builder.Finish().value();
    EXPECT_EQ(writer_.Finish(), absl::OkStatus());
    return slices;
  }

  // What the slices hold, one behind the other, checking what is said of each on the way.
  Records Read(const std::vector<SliceRef>& slices) {
    Records all;
    for (const SliceRef& slice : slices) {
      const size_t before = all.size();
      const PagePin root =
          cache_.Load(slice.root, kSliceHeight - 1, PageCache::Use::kPoint).value();
      EXPECT_EQ(CheckNode(root.data(), kPageSize, kSliceHeight - 1), absl::OkStatus());
      const InnerView view(root.data());
      EXPECT_EQ(slice.pages, view.child_count() + 1);
      for (uint32_t i = 0; i < view.child_count(); ++i) ReadLeaf(root.data(), i, &all);
      EXPECT_EQ(slice.records, all.size() - before);
    }
    return all;
  }

  void ReadLeaf(const char* root, uint32_t child, Records* all) {
    const InnerView view(root);
    const PagePin page = cache_.Load(view.child(child), 0, PageCache::Use::kPoint).value();
    EXPECT_EQ(CheckNode(page.data(), kPageSize, 0), absl::OkStatus());
    EXPECT_EQ(PageKindField(page.data()), PageKind::kSliceLeaf);
    const LeafView leaf(page.data());
    for (uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafView::Cell cell = leaf.cell(i);
      std::string key = absl::StrCat(std::string(leaf.prefix()), std::string(cell.suffix));
      EXPECT_EQ(view.ChildFor(key), child) << key;
      EXPECT_TRUE(FilterMayContain(FilterHash(key), SliceFilter(root))) << key;
      if (!all->empty()) {
        EXPECT_GT(key, all->rbegin()->first);
      }
      Change change{cell.kind == CellKind::kTombstone, std::string(cell.payload)};
      all->emplace(std::move(key), std::move(change));
    }
  }

  static uint64_t BytesOf(const Records& records) {
    uint64_t bytes = 0;
    for (const auto& [key, change] : records) bytes += key.size() + change.payload.size();
    return bytes;
  }

  FaultEnv env_;
  Epoch epoch_;
  PageFile file_;
  PageCache cache_;
  FreeSpace free_space_;
  PageWriter writer_;
};

TEST_F(SliceBuilderTest, NothingMakesNoSlice) { EXPECT_TRUE(Build({}).empty()); }

TEST_F(SliceBuilderTest, OneRecordMakesASliceOfTwoPages) {
  const Records records = {{"key", {false, "value"}}};
  const std::vector<SliceRef> slices = Build(records);
  ASSERT_EQ(slices.size(), 1u);
  EXPECT_EQ(slices[0].pages, 2u);
  EXPECT_TRUE(Read(slices) == records);
}

// Records of all sizes, from many on a leaf to two, and keys from one byte to the longest.
TEST_F(SliceBuilderTest, SlicesHoldWhatWasAddedAndAreNoMoreThanForetold) {
  std::mt19937_64 random(20261128);
  size_t most = 0;
  for (int round = 0; round < 40; ++round) {
    const size_t max_key = 1 + random() % SliceBuilder::kMaxKeySize;
    const size_t max_value = random() % 1000;
    Records records;
    const size_t count = 1 + random() % 3000;
    std::string key;
    for (size_t i = 0; i < count; ++i) {
      // In every other round some keys in a row begin alike, which makes separators as long as
      // they.
      if (round % 2 == 0 || i % 8 == 0) {
        key.resize(1 + random() % max_key);
        for (char& c : key) c = static_cast<char>(random());
      }
      key.back() = static_cast<char>(random());
      const bool is_deletion = random() % 8 == 0;
      records[key] = {is_deletion, std::string(is_deletion ? 0 : random() % (max_value + 1), 'v')};
    }
    const std::vector<SliceRef> slices = Build(records);
    EXPECT_LE(slices.size(), SliceBuilder::MostSlices(kPageSize, records.size(), BytesOf(records)));
    ASSERT_TRUE(Read(slices) == records) << "round " << round;
    most = std::max(most, slices.size());
  }
  EXPECT_GT(most, 1u);
}

// A root is full when its filter and its children's references fill the page.
TEST_F(SliceBuilderTest, ARootThatIsFullIsFollowedByAnother) {
  Records records;
  for (int i = 0; i < 20'000; ++i) records[absl::StrCat("key", 100'000 + i)] = {false, "value"};
  const std::vector<SliceRef> slices = Build(records);
  EXPECT_GT(slices.size(), 2u);
  EXPECT_TRUE(Read(slices) == records);
}

}  // namespace
}  // namespace emdb
