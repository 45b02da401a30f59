#include "pagestore/slice.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/node.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_format.h"
#include "pagestore/slice_filter.h"
#include "storage/coding.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = kMinPageSize;

// An inner page of level 1 with three children.
std::string InnerPage() {
  NodeItems items(1);
  for (const PageId id : {10, 11, 12}) {
    char payload[kPageRefSize];
    StorePageRef(payload, {id, 7});
    items.Add({"key" + std::to_string(id), {}, CellKind::kInline, {payload, kPageRefSize}});
  }
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {5, 3}, page.data(), kPageSize);
  return page;
}

std::string Buffered(const std::string& node, absl::Span<const SliceRef> slices) {
  std::string page(kPageSize, '\xff');
  BuildBufferedNode(node.data(), slices, 6, 4, absl::MakeSpan(page.data(), page.size()));
  return page;
}

std::string LeafWithTombstone(PageKind kind, std::string_view payload) {
  NodeItems items(0);
  items.Add({"a", {}, CellKind::kInline, "value"});
  items.Add({"b", {}, CellKind::kTombstone, payload});
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {5, 3}, page.data(), kPageSize);
  SetPageKind(kind, page.data());
  return page;
}

void SetDataEnd(std::string* page, size_t end) {
  PageHeader header = DecodePageHeader(page->data());
  header.data_end = static_cast<uint16_t>(end);
  EncodePageHeader(header, page->data());
}

void SetPosition(std::string* page, size_t position) {
  PageHeader header = DecodePageHeader(page->data());
  header.position = static_cast<uint32_t>(position);
  EncodePageHeader(header, page->data());
}

absl::Status Check(const std::string& page) { return CheckNode(page.data(), kPageSize, 1); }

TEST(SliceTest, ABufferedNodeIsItsNodeWithSlices) {
  const std::string page = Buffered(InnerPage(), {{{20, 1}, 3, 50}, {{30, 2}, 2, 7}});
  ASSERT_EQ(Check(page), absl::OkStatus());
  const PageHeader header = DecodePageHeader(page.data());
  EXPECT_EQ(header.id, 6u);
  EXPECT_EQ(header.generation, 4u);
  EXPECT_EQ(header.kind, PageKind::kBuffered);
  const InnerView node(page.data());
  ASSERT_EQ(node.child_count(), 3u);
  EXPECT_EQ(node.child(1).id, 11u);
  EXPECT_EQ(node.ChildFor("key12x"), 2u);
  const SliceList slices(page.data());
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices.at(1).root, (PageRef{30, 2}));
  EXPECT_EQ(slices.at(1).pages, 2u);
  EXPECT_EQ(slices.at(0).records, 50u);
  EXPECT_TRUE(IsZero(std::string_view(page).substr(header.data_end)));
}

TEST(SliceTest, SlicesTakeThePlaceOfThoseThatWereThere) {
  const std::string once = Buffered(InnerPage(), {{{20, 1}, 3, 50}, {{30, 2}, 2, 7}});
  const std::string again = Buffered(once, {{{40, 4}, 2, 9}});
  ASSERT_EQ(Check(again), absl::OkStatus());
  ASSERT_EQ(SliceList(again.data()).size(), 1u);
  EXPECT_EQ(SliceList(again.data()).at(0).root.id, 40u);
}

TEST(SliceTest, AnInnerPageHasNoSlicesAndRoomForTheMost) {
  const std::string page = InnerPage();
  EXPECT_EQ(SliceList(page.data()).size(), 0u);
  EXPECT_EQ(SliceRoom(page.data(), kPageSize), kMaxSlices);
}

TEST(SliceTest, MalformedSlicesAreRefused) {
  const std::string good = Buffered(InnerPage(), {{{20, 1}, 3, 50}});
  const size_t begin = PagePositionField(good.data());
  ASSERT_EQ(Check(good), absl::OkStatus());
  std::string page = good;
  SetDataEnd(&page, begin);
  EXPECT_FALSE(Check(page).ok()) << "no slices";
  page = good;
  SetDataEnd(&page, begin + kSliceRefSize - 1);
  EXPECT_FALSE(Check(page).ok()) << "half a reference";
  page = good;
  SetPosition(&page, begin - 2);
  EXPECT_FALSE(Check(page).ok()) << "slices over separators";
  page = good;
  SetPosition(&page, kPageSize + 100);
  EXPECT_FALSE(Check(page).ok()) << "slices behind the page";
  page = good;
  Store32(page.data() + begin, 1);
  EXPECT_FALSE(Check(page).ok()) << "a header slot as root";
  page = good;
  Store32(page.data() + begin + kPageRefSize, 1);
  EXPECT_FALSE(Check(page).ok()) << "no leaf";
  page = good;
  Store32(page.data() + begin + kPageRefSize + 4, 0);
  EXPECT_FALSE(Check(page).ok()) << "no record";
}

TEST(SliceTest, AnInnerPageEndsWithItsSeparators) {
  std::string page = InnerPage();
  ASSERT_EQ(Check(page), absl::OkStatus());
  SetDataEnd(&page, PageDataEndField(page.data()) + 1u);
  EXPECT_EQ(Check(page).message(), "malformed node: separator offsets");
}

TEST(SliceTest, AnInnerPageWithoutATailHasNoPosition) {
  std::string page = InnerPage();
  ASSERT_EQ(Check(page), absl::OkStatus());
  SetPosition(&page, PageDataEndField(page.data()));
  EXPECT_FALSE(Check(page).ok());
}

TEST(SliceTest, MoreSlicesThanTheMostAreRefused) {
  const std::vector<SliceRef> most(kMaxSlices, SliceRef{{20, 1}, 3, 50});
  std::string page = Buffered(InnerPage(), most);
  ASSERT_EQ(Check(page), absl::OkStatus());
  const size_t end = PageDataEndField(page.data());
  std::memcpy(page.data() + end, page.data() + end - kSliceRefSize, kSliceRefSize);
  SetDataEnd(&page, end + kSliceRefSize);
  EXPECT_FALSE(Check(page).ok());
}

TEST(SliceTest, TheRootOfASliceHasAFilterOfItsKeys) {
  std::string page = InnerPage();
  const std::vector<uint64_t> hashes = {FilterHash("a"), FilterHash("b")};
  AddSliceFilter(hashes, page.data());
  ASSERT_EQ(Check(page), absl::OkStatus());
  EXPECT_EQ(SliceFilter(page.data()).size(), kFilterBlockSize);
  EXPECT_TRUE(FilterMayContain(hashes[0], SliceFilter(page.data())));
  EXPECT_TRUE(FilterMayContain(hashes[1], SliceFilter(page.data())));
  EXPECT_FALSE(FilterMayContain(FilterHash("c"), SliceFilter(page.data())));
}

TEST(SliceTest, MalformedFiltersAreRefused) {
  std::string good = InnerPage();
  AddSliceFilter({FilterHash("a")}, good.data());
  std::string page = good;
  SetDataEnd(&page, PagePositionField(page.data()));
  EXPECT_FALSE(Check(page).ok()) << "no filter";
  page = good;
  SetDataEnd(&page, PageDataEndField(page.data()) + 1u);
  EXPECT_FALSE(Check(page).ok()) << "not of whole blocks";
}

TEST(SliceTest, TombstonesStandInSlicesOnlyAndHaveNoPayload) {
  const auto check = [](const std::string& page) { return CheckNode(page.data(), kPageSize, 0); };
  EXPECT_TRUE(check(LeafWithTombstone(PageKind::kSliceLeaf, "")).ok());
  EXPECT_FALSE(check(LeafWithTombstone(PageKind::kLeaf, "")).ok());
  EXPECT_FALSE(check(LeafWithTombstone(PageKind::kSliceLeaf, "x")).ok());
}

TEST(SliceTest, KindsStandAtTheirLevels) {
  std::string page = Buffered(InnerPage(), {{{20, 1}, 3, 50}});
  page[9] = 2;
  EXPECT_FALSE(CheckNode(page.data(), kPageSize, 2).ok());
  EXPECT_FALSE(CheckNode(LeafWithTombstone(PageKind::kSliceLeaf, "").data(), kPageSize, 1).ok());
}

}  // namespace
}  // namespace emdb
