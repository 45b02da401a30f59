#include "pagestore/slice_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "pagestore/slice.h"

namespace emdb {
namespace {

SlicePolicy::Node NodeWithSlices(uint32_t count, uint32_t pages_each) {
  constexpr uint32_t kLeaves = 400;
  const SlicePolicy::Slices slices = {count, count * pages_each, count * pages_each * 50};
  return {.page_size = 8192,
          .leaves = kLeaves,
          .slice_room = kMaxSlices,
          .slices = slices,
          .young = SlicePolicy::IsSmall(pages_each, kLeaves) ? slices : SlicePolicy::Slices(),
          .number = 77};
}

// Changes of 100 bytes each, every one in a leaf of its own as far as there are.
SlicePolicy::Changes Scattered(uint32_t records) {
  return {.records = records,
          .bytes = uint64_t{records} * 100,
          .touched_leaves = std::min(records, 400u),
          .longest_key = 24};
}

TEST(SlicePolicyTest, AFewChangesAreMerged) {
  EXPECT_EQ(SlicePolicy(NodeWithSlices(0, 0)).Choose(Scattered(8)), NodeAction::kMerge);
}

TEST(SlicePolicyTest, ScatteredChangesBecomeASlice) {
  EXPECT_EQ(SlicePolicy(NodeWithSlices(0, 0)).Choose(Scattered(1000)), NodeAction::kAddSlice);
  EXPECT_EQ(SlicePolicy(NodeWithSlices(3, 13)).Choose(Scattered(1000)), NodeAction::kAddSlice);
}

TEST(SlicePolicyTest, ChangesSideBySideAreMerged) {
  SlicePolicy::Changes changes = Scattered(1000);
  changes.touched_leaves = 20;
  EXPECT_EQ(SlicePolicy(NodeWithSlices(0, 0)).Choose(changes), NodeAction::kMerge);
}

// As long as a node has room for slices nothing is merged, which would take space that is not
// there.
TEST(SlicePolicyTest, WhereSpaceIsShortChangesBecomeSlicesAsLongAsTheseFit) {
  SlicePolicy::Node node = NodeWithSlices(kMaxSlices / 2, 2);
  node.record_bytes = 2000;
  SlicePolicy::Changes deletions = Scattered(1000);
  deletions.deletions = 1000;
  EXPECT_EQ(SlicePolicy(node).Choose(deletions), NodeAction::kMerge);
  node.saves_space = true;
  EXPECT_EQ(SlicePolicy(node).Choose(deletions), NodeAction::kAddSlice);
  node.slice_room = node.slices.count;
  EXPECT_EQ(SlicePolicy(node).Choose(deletions), NodeAction::kJoinSlices);
  node.slice_room = 1;
  EXPECT_EQ(SlicePolicy(node).Choose(deletions), NodeAction::kMerge);
}

TEST(SlicePolicyTest, DeletionsThatLeaveLittleAreMerged) {
  SlicePolicy::Node node = NodeWithSlices(0, 0);
  node.record_bytes = 650;
  SlicePolicy::Changes changes = {
      .records = 5000, .bytes = 5000 * 12, .touched_leaves = 400, .longest_key = 12};
  EXPECT_EQ(SlicePolicy(node).Choose(changes), NodeAction::kAddSlice);
  changes.deletions = changes.records;
  EXPECT_EQ(SlicePolicy(node).Choose(changes), NodeAction::kMerge);
  // With the slices that are there: nothing may come to the node any more that would fold it.
  node = NodeWithSlices(1, 13);
  node.record_bytes = 650;
  EXPECT_EQ(SlicePolicy(node).Choose(changes), NodeAction::kMerge);
  changes.deletions /= 4;
  EXPECT_EQ(SlicePolicy(node).Choose(changes), NodeAction::kAddSlice);
}

TEST(SlicePolicyTest, AQuarterOfTheLeavesIsMerged) {
  const SlicePolicy policy(NodeWithSlices(0, 0));
  EXPECT_EQ(policy.MostBytes(), 100u * 8192);
  SlicePolicy::Changes changes = Scattered(8300);
  EXPECT_GT(changes.bytes, policy.MostBytes());
  EXPECT_EQ(policy.Choose(changes), NodeAction::kMerge);
}

TEST(SlicePolicyTest, FullNodesAreFolded) {
  // More than any node's share.
  EXPECT_EQ(SlicePolicy(NodeWithSlices(6, 60)).Choose(Scattered(1000)), NodeAction::kMerge);
}

TEST(SlicePolicyTest, ManySmallSlicesAreJoined) {
  EXPECT_EQ(SlicePolicy(NodeWithSlices(12, 3)).Choose(Scattered(100)), NodeAction::kJoinSlices);
}

TEST(SlicePolicyTest, SlicesThatAreNotSmallAreNotJoined) {
  EXPECT_FALSE(SlicePolicy::IsSmall(26, 400));
  SlicePolicy::Node node = NodeWithSlices(12, 3);
  node.young = {3, 9, 450};  // the others had been joined
  EXPECT_EQ(SlicePolicy(node).Choose(Scattered(100)), NodeAction::kMerge);
}

TEST(SlicePolicyTest, LongKeysAreMerged) {
  SlicePolicy::Changes changes = Scattered(1000);
  changes.longest_key = 300;
  EXPECT_EQ(SlicePolicy(NodeWithSlices(0, 0)).Choose(changes), NodeAction::kMerge);
}

TEST(SlicePolicyTest, WithoutRoomChangesAreMerged) {
  SlicePolicy::Node node = NodeWithSlices(2, 13);
  node.slice_room = 2;
  EXPECT_EQ(SlicePolicy(node).Choose(Scattered(1000)), NodeAction::kMerge);
}

TEST(SlicePolicyTest, NodesThatFillUpTogetherFoldAtDifferentTimes) {
  std::set<uint32_t> folded_with;
  for (uint32_t number = 2; number < 200; ++number) {
    uint32_t slices = 0;
    for (;; ++slices) {
      SlicePolicy::Node node = NodeWithSlices(slices, 25);
      node.number = number;
      if (SlicePolicy(node).Choose(Scattered(1900)) != NodeAction::kAddSlice) break;
    }
    folded_with.insert(slices);
  }
  EXPECT_GE(folded_with.size(), 5u);
}

}  // namespace
}  // namespace emdb
