#include "pagestore/node.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "pagestore/node_builder.h"
#include "storage/coding.h"

namespace emdb {
namespace {

constexpr uint32_t kPageSize = 8192;
constexpr uint64_t kSeed = 5;

using Keys = std::set<std::string>;

std::string Payload(PageRef ref) {
  std::string payload(kPageRefSize, '\0');
  StorePageRef(payload.data(), ref);
  return payload;
}

// A leaf with as many of the keys as fit, whose values are the keys' sizes in decimal.
class BuiltLeaf {
 public:
  explicit BuiltLeaf(const Keys& keys) : page_(kPageSize, '\x77') {
    NodeItems items(0);
    for (const std::string& key : keys) {
      const std::string value = std::to_string(key.size());
      const NodeItems::Entry entry = {key, {}, CellKind::kInline, value};
      if (!items.empty() && items.NodeSizeWith(entry) > kPageSize) break;
      items.Add(entry);
      keys_.insert(key);
    }
    items.Build(0, items.size(), {7, 3}, page_.data(), kPageSize);
  }

  const Keys& keys() const { return keys_; }
  LeafView view() const { return LeafView(page_.data()); }
  const char* page() const { return page_.data(); }

 private:
  std::string page_;
  Keys keys_;
};

void ExpectLookupsAgree(const BuiltLeaf& leaf, const std::string& target) {
  const auto at = leaf.keys().lower_bound(target);
  const auto index = static_cast<uint32_t>(std::distance(leaf.keys().begin(), at));
  const bool found = at != leaf.keys().end() && *at == target;
  const LeafView::Position bound = leaf.view().LowerBound(target);
  ASSERT_EQ(bound.index, index) << target;
  ASSERT_EQ(bound.found, found) << target;
  const LeafView::Position exact = leaf.view().Find(target);
  ASSERT_EQ(exact.found, found) << target;
  if (found) {
    ASSERT_EQ(exact.index, index);
  }
}

// The target itself and what is hard to tell from it.
std::vector<std::string> Neighbours(const std::string& key) {
  std::vector<std::string> targets = {key, key + std::string(1, '\0'), key + "\xff"};
  if (key.size() > 1) targets.push_back(key.substr(0, key.size() - 1));
  std::string changed = key;
  ++changed.back();
  targets.push_back(changed);
  changed = key;
  --changed.front();
  targets.push_back(changed);
  return targets;
}

void ExpectLeafAgrees(const Keys& keys) {
  const BuiltLeaf leaf(keys);
  ASSERT_TRUE(CheckNode(leaf.page(), kPageSize, 0).ok());
  ASSERT_EQ(leaf.view().count(), leaf.keys().size());
  uint32_t index = 0;
  for (const std::string& key : leaf.keys()) {
    ASSERT_EQ(leaf.view().key(index), key);
    ASSERT_EQ(leaf.view().cell(index).payload, std::to_string(key.size()));
    ++index;
  }
  for (const std::string& key : keys) {
    for (const std::string& target : Neighbours(key)) {
      ASSERT_NO_FATAL_FAILURE(ExpectLookupsAgree(leaf, target));
    }
  }
  ASSERT_NO_FATAL_FAILURE(ExpectLookupsAgree(leaf, "\xff\xff\xff\xff\xff"));
  ASSERT_NO_FATAL_FAILURE(ExpectLookupsAgree(leaf, std::string(1, '\0')));
}

Keys RandomKeys(std::mt19937_64* random, size_t count) {
  // Few letters and any length: equal heads, shared prefixes and padding look-alikes.
  const std::string letters("\0\1ab\xff", 5);
  Keys keys;
  for (size_t i = 0; i < count; ++i) {
    std::string key(1 + (*random)() % 12, '\0');
    for (char& letter : key) letter = letters[(*random)() % letters.size()];
    keys.insert(key);
  }
  return keys;
}

TEST(LeafViewTest, FindsKeysAmongEqualHeads) {
  Keys keys;
  for (int i = 0; i < 300; ++i) keys.insert("same" + std::to_string(i) + "tail");
  ExpectLeafAgrees(keys);
}

TEST(LeafViewTest, TellsZeroBytesFromPadding) {
  Keys keys;
  for (int i = 1; i < 60; ++i) {
    keys.insert(std::string(i, '\0'));
    keys.insert("a" + std::string(i, '\0'));
  }
  ExpectLeafAgrees(keys);
}

TEST(LeafViewTest, FindsKeysThatArePrefixesOfOneAnother) {
  Keys keys;
  for (int i = 1; i < 90; ++i) keys.insert(std::string(i, 'p'));
  ExpectLeafAgrees(keys);
}

TEST(LeafViewTest, HoldsASingleKeyOfTheGreatestLength) {
  ExpectLeafAgrees({std::string(kMaxKeySize, 'k')});
  ExpectLeafAgrees({"k"});
}

TEST(LeafViewTest, AgreesWithASetOfRandomKeys) {
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 40; ++round) {
    ASSERT_NO_FATAL_FAILURE(ExpectLeafAgrees(RandomKeys(&random, 1 + random() % 500)));
  }
}

TEST(InnerViewTest, AgreesWithASetOfRandomSeparators) {
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 40; ++round) {
    const Keys separators = RandomKeys(&random, 1 + random() % 250);
    NodeItems items(1);
    uint32_t child = 100;
    items.Add({"", {}, CellKind::kInline, Payload({child, child})});
    for (const std::string& separator : separators) {
      items.Add({separator, {}, CellKind::kInline, Payload({++child, child})});
    }
    ASSERT_LE(items.NodeSize(), kPageSize);
    std::string page(kPageSize, '\x77');
    items.Build(0, items.size(), {9, 3}, page.data(), kPageSize);
    ASSERT_TRUE(CheckNode(page.data(), kPageSize, 1).ok());
    const InnerView node(page.data());
    ASSERT_EQ(node.separator_count(), separators.size());
    for (const std::string& separator : separators) {
      for (const std::string& target : Neighbours(separator)) {
        const auto expected = std::distance(separators.begin(), separators.upper_bound(target));
        ASSERT_EQ(node.ChildFor(target), static_cast<uint32_t>(expected));
        ASSERT_EQ(node.child(node.ChildFor(target)).id, 100 + expected);
      }
    }
  }
}

TEST(InnerViewTest, ANodeWithoutSeparatorsHasOneChild) {
  NodeItems items(3);
  items.Add({"anything", {}, CellKind::kInline, Payload({42, 1})});
  std::string page(kPageSize, '\0');
  items.Build(0, 1, {9, 3}, page.data(), kPageSize);
  ASSERT_TRUE(CheckNode(page.data(), kPageSize, 3).ok());
  EXPECT_EQ(InnerView(page.data()).ChildFor("z"), 0u);
  EXPECT_EQ(InnerView(page.data()).child(0).id, 42u);
}

// Reads all that a view can show.
size_t Walk(const char* page, uint32_t level) {
  size_t bytes = 0;
  if (level == 0) {
    const LeafView leaf(page);
    for (uint32_t i = 0; i < leaf.count(); ++i) {
      bytes += leaf.key(i).size() + std::string(leaf.cell(i).payload).size();
      bytes += leaf.LowerBound(leaf.key(i)).index;
    }
  } else {
    const InnerView node(page);
    for (uint32_t i = 0; i < node.separator_count(); ++i) {
      bytes += node.ChildFor(node.separator(i)) + node.child(i).id;
    }
  }
  return bytes;
}

// With the address sanitizer, this shows that CheckNode lets nothing through that leaves the page.
TEST(CheckNodeTest, RefusesANodeOfAnotherLevel) {
  NodeItems items(2);
  items.Add({"", {}, CellKind::kInline, Payload({5, 0})});
  std::string page(kPageSize, '\0');
  items.Build(0, 1, {9, 3}, page.data(), kPageSize);
  EXPECT_TRUE(CheckNode(page.data(), kPageSize, 2).ok());
  EXPECT_TRUE(absl::IsDataLoss(CheckNode(page.data(), kPageSize, 1)));
  EXPECT_TRUE(absl::IsDataLoss(CheckNode(page.data(), kPageSize, 0)));
}

TEST(CheckNodeTest, RefusesKeysWithEqualHeadsThatAreOutOfOrder) {
  const BuiltLeaf leaf({"same-a", "same-b"});
  std::string page(leaf.page(), kPageSize);
  ASSERT_TRUE(CheckNode(page.data(), kPageSize, 0).ok());
  // All keys begin with the page's prefix; what tells these two apart is their last byte.
  const BuiltLeaf wide({"same-a", "same-b", "zero"});
  page.assign(wide.page(), kPageSize);
  const size_t first = page.find("same-a");
  const size_t second = page.find("same-b");
  ASSERT_NE(first, std::string::npos);
  ASSERT_NE(second, std::string::npos);
  page[first + 5] = 'c';
  EXPECT_TRUE(absl::IsDataLoss(CheckNode(page.data(), kPageSize, 0)));
  page[first + 5] = 'b';
  EXPECT_TRUE(absl::IsDataLoss(CheckNode(page.data(), kPageSize, 0))) << "two equal keys";
}

// The key of a cell that begins behind the page would be read before anything else shows that it is
// none, so its offset must.
TEST(CheckNodeTest, RefusesACellThatEndsBehindTheDataOrBeforeItsBegin) {
  const BuiltLeaf leaf({"a", "b", "c"});
  const size_t offsets_at = kPageHeaderSize + size_t{4} * leaf.view().count();
  const auto begin_of_the_second = [&](uint16_t offset) {
    // On the heap, and no byte larger than a page.
    std::vector<char> page(leaf.page(), leaf.page() + kPageSize);
    Store16(page.data() + offsets_at + 2, offset);
    return std::string(CheckNode(page.data(), kPageSize, 0).message());
  };
  const uint16_t data_end = PageDataEndField(leaf.page());
  const uint16_t first = Load16(leaf.page() + offsets_at);
  EXPECT_EQ(begin_of_the_second(Load16(leaf.page() + offsets_at + 2)), "");
  EXPECT_EQ(begin_of_the_second(first - 1), "malformed node: cell offsets");
  EXPECT_EQ(begin_of_the_second(data_end + 1), "malformed node: cell offsets");
  EXPECT_EQ(begin_of_the_second(UINT16_MAX), "malformed node: cell offsets");
}

// A leaf of one record whose cell is these bytes, with a key that begins with `k`.
std::string LeafOfCell(std::string_view cell) {
  const size_t cell_at = kPageHeaderSize + 6;
  std::string page(kPageSize, '\0');
  EncodePageHeader({.id = 9,
                    .kind = PageKind::kLeaf,
                    .count = 1,
                    .data_end = static_cast<uint16_t>(cell_at + cell.size())},
                   page.data());
  Store32(page.data() + kPageHeaderSize, HeadOf("k"));
  Store16(page.data() + kPageHeaderSize + 4, static_cast<uint16_t>(cell_at));
  page.replace(cell_at, cell.size(), cell);
  return page;
}

// A view of a cell looks no further for the two sizes than the longest are.
TEST(CheckNodeTest, RefusesSizesInMoreBytesThanAViewReads) {
  const auto check = [](std::string_view cell) {
    const std::string page = LeafOfCell(cell);
    absl::Status status = CheckNode(page.data(), kPageSize, 0);
    if (status.ok()) {
      const LeafView::Cell seen = LeafView(page.data()).cell(0);
      EXPECT_EQ(seen.suffix, "k");
      EXPECT_EQ(seen.payload, "");
    }
    return status;
  };
  EXPECT_TRUE(check(std::string_view("\x01\x00k", 3)).ok());
  EXPECT_TRUE(check(std::string_view("\x81\x80\x80\x80\x00\x80\x80\x80\x80\x00k", 11)).ok());
  constexpr std::string_view kTwoTooLong("\x81\x80\x80\x80\x80\x00\x80\x80\x80\x80\x80\x00k", 13);
  EXPECT_TRUE(absl::IsDataLoss(check(kTwoTooLong)));
  constexpr std::string_view kOneTooLong("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00\x00k", 12);
  EXPECT_TRUE(absl::IsDataLoss(check(kOneTooLong)));
}

std::string CheckOf(const std::string& page, uint32_t level = 0) {
  // On the heap, and no byte larger than a page.
  const std::vector<char> bytes(page.begin(), page.begin() + kPageSize);
  return std::string(CheckNode(bytes.data(), kPageSize, level).message());
}

// A cell with these sizes in front of `bytes`.
std::string Cell(uint64_t suffix_size, uint64_t payload_size, CellKind kind,
                 const std::string& bytes) {
  char sizes[20];
  char* const end =
      PutVarint64(PutVarint64(sizes, suffix_size), payload_size << 2 | static_cast<uint64_t>(kind));
  return std::string(sizes, end).append(bytes);
}

void SetDataEnd(std::string* page, size_t end) {
  PageHeader header = DecodePageHeader(page->data());
  header.data_end = static_cast<uint16_t>(end);
  EncodePageHeader(header, page->data());
}

TEST(CheckNodeTest, RefusesDataThatEndsBehindThePageOrWithinItsHeader) {
  constexpr char kSizes[] = "malformed node: sizes in the page header";
  // The record's value reaches to that end.
  const size_t cell_at = kPageHeaderSize + 6;
  const auto leaf_to = [&](size_t end) {
    std::string page = LeafOfCell(Cell(1, end - cell_at - 5, CellKind::kInline, "k"));
    SetDataEnd(&page, end);
    return page;
  };
  EXPECT_EQ(CheckOf(leaf_to(kPageSize)), "");
  EXPECT_EQ(CheckOf(leaf_to(kPageSize + 1)), kSizes);
  EXPECT_EQ(CheckOf(leaf_to(UINT16_MAX)), kSizes);
  std::string page = leaf_to(kPageSize);
  SetDataEnd(&page, kPageHeaderSize - 1);
  EXPECT_EQ(CheckOf(page), kSizes);
  page = leaf_to(kPageSize);
  PageHeader header = DecodePageHeader(page.data());
  header.prefix_size = kMaxKeySize + 1;
  EncodePageHeader(header, page.data());
  EXPECT_EQ(CheckOf(page), kSizes);
}

TEST(CheckNodeTest, RefusesAHeadThatIsNotItsKeys) {
  std::string page = LeafOfCell(Cell(1, 0, CellKind::kInline, "k"));
  EXPECT_EQ(CheckOf(page), "");
  Store32(page.data() + kPageHeaderSize, HeadOf("l"));
  EXPECT_EQ(CheckOf(page), "malformed node: order of keys");
}

TEST(CheckNodeTest, RefusesKeysOfNoBytesOrTooMany) {
  const auto with_key = [](size_t size) {
    return CheckOf(LeafOfCell(Cell(size, 0, CellKind::kInline, "k" + std::string(size - 1, '\0'))));
  };
  EXPECT_EQ(with_key(kMaxKeySize), "");
  EXPECT_EQ(with_key(kMaxKeySize + 1), "malformed node: key too long");
  std::string page = LeafOfCell(Cell(0, 0, CellKind::kInline, ""));
  Store32(page.data() + kPageHeaderSize, HeadOf(""));
  EXPECT_EQ(CheckOf(page), "malformed node: empty key");
}

TEST(CheckNodeTest, RefusesACellThatItsPartsDoNotFill) {
  const auto with_payload = [](size_t size) {
    return CheckOf(LeafOfCell(Cell(1, size, CellKind::kInline, "kvalue")));
  };
  EXPECT_EQ(with_payload(5), "");
  for (const size_t size : {size_t{0}, size_t{4}, size_t{6}, size_t{10000}, size_t{1} << 29}) {
    EXPECT_EQ(with_payload(size), "malformed node: cell size") << size;
  }
}

TEST(CheckNodeTest, RefusesALeafWithoutRecords) {
  std::string page(kPageSize, '\0');
  EncodePageHeader({.id = 9, .kind = PageKind::kLeaf, .data_end = kPageHeaderSize + 2},
                   page.data());
  // Where the first cell would begin.
  Store16(page.data() + kPageHeaderSize, kPageHeaderSize);
  EXPECT_EQ(CheckOf(page), "malformed node: leaf without records");
}

TEST(CheckNodeTest, RefusesAFirstCellThatIsNotBehindThePrefix) {
  std::string page = LeafOfCell(std::string(1, '\0') + Cell(1, 0, CellKind::kInline, "k"));
  const size_t offset_at = kPageHeaderSize + 4;
  Store16(page.data() + offset_at, static_cast<uint16_t>(Load16(page.data() + offset_at) + 1));
  EXPECT_EQ(CheckOf(page), "malformed node: first cell");
}

TEST(CheckNodeTest, RefusesReferencesThatNoLargeValueHas) {
  const auto with_extent = [](const ExtentRef& extent, size_t size = kExtentRefSize) {
    std::string bytes(1 + kExtentRefSize, 'k');
    EncodeExtentRef(extent, bytes.data() + 1);
    bytes.resize(1 + size);
    return CheckOf(LeafOfCell(Cell(1, size, CellKind::kExtent, bytes)));
  };
  EXPECT_EQ(with_extent({.first = kHeaderSlots, .size = kMaxValueSize}), "");
  constexpr char kReference[] = "malformed node: large value's reference";
  EXPECT_EQ(with_extent({.first = kHeaderSlots - 1, .size = 1}), kReference);
  EXPECT_EQ(with_extent({.first = kHeaderSlots, .size = 0}), kReference);
  EXPECT_EQ(with_extent({.first = kHeaderSlots, .size = kMaxValueSize + 1}), kReference);
  constexpr char kSize[] = "malformed node: size of a large value's reference";
  EXPECT_EQ(with_extent({.first = kHeaderSlots, .size = 1}, kExtentRefSize - 1), kSize);
  EXPECT_EQ(with_extent({.first = kHeaderSlots, .size = 1}, kExtentRefSize + 1), kSize);
}

// An inner page with the separators "a" and "b".
std::string InnerOfTwoSeparators() {
  NodeItems items(1);
  for (const std::string& key : {std::string(), std::string("a"), std::string("b")}) {
    items.Add({key, {}, CellKind::kInline, Payload({kHeaderSlots, 0})});
  }
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {9, 3}, page.data(), kPageSize);
  return page;
}

// As with cells: what begins or ends behind the page would be read before anything else shows it.
TEST(CheckNodeTest, RefusesSeparatorsThatEndBehindTheDataOrBeforeTheirBegin) {
  const std::string inner = InnerOfTwoSeparators();
  const size_t offsets_at = kPageHeaderSize + 2 * 4 + 3 * kPageRefSize;
  const auto end_of_the_first = [&](uint16_t offset) {
    std::string page = inner;
    Store16(page.data() + offsets_at + 2, offset);
    return CheckOf(page, 1);
  };
  const uint16_t tails_at = Load16(inner.data() + offsets_at);
  EXPECT_EQ(end_of_the_first(tails_at + 1), "");
  EXPECT_EQ(end_of_the_first(tails_at - 1), "malformed node: separator offsets");
  EXPECT_EQ(end_of_the_first(UINT16_MAX), "malformed node: separator offsets");
}

TEST(CheckNodeTest, RefusesAHeaderSlotForAChild) {
  const size_t children_at = kPageHeaderSize + 2 * 4;
  for (size_t child = 0; child < 3; ++child) {
    for (const PageId id : {0u, 1u}) {
      std::string page = InnerOfTwoSeparators();
      EXPECT_EQ(CheckOf(page, 1), "");
      Store32(page.data() + children_at + child * kPageRefSize, id);
      EXPECT_EQ(CheckOf(page, 1), "malformed node: child");
    }
  }
}

TEST(CheckNodeTest, RefusesOrMakesSafeWhateverBytesAreChanged) {
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  size_t refused = 0;
  for (int round = 0; round < 5000; ++round) {
    const uint32_t level = round % 2;
    NodeItems items(static_cast<uint8_t>(level));
    for (const std::string& key : RandomKeys(&random, 20)) {
      items.Add({key, {}, CellKind::kInline, Payload({500, 1})});
    }
    // On the heap, and no byte larger than a page.
    const std::vector<char> page_bytes(kPageSize);
    std::vector<char> page = page_bytes;
    items.Build(0, items.size(), {9, 3}, page.data(), kPageSize);
    for (int change = 0; change < 3; ++change) {
      page[8 + random() % 300] = static_cast<char>(random());
    }
    if (CheckNode(page.data(), kPageSize, level).ok()) {
      Walk(page.data(), level);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2500u);
}

}  // namespace
}  // namespace emdb
