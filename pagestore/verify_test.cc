// Each rule of Verify, broken alone in a store whose checksums are right; what reads the store must
// refuse what it cannot read rightly, too.

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pagestore/forged_file.h"
#include "pagestore/free_map_format.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/slice.h"
#include "pagestore/store_testing.h"
#include "storage/coding.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

using ::testing::HasSubstr;
using Store = ForgedStore;

// The message names the file, the place of `page` in it, and what is wrong.
void ExpectDamage(const absl::Status& status, PageId page, const std::string& what) {
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr(absl::StrCat(kForgedPath, " at offset ", uint64_t{page} * kForgedPageSize, ": ")));
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

std::unique_ptr<PageStore> Opened(ForgedStore* forged) {
  auto store = OpenForged(forged->env());
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

void ExpectVerifyFinds(const Forgery& forgery, PageId page, const std::string& what) {
  ForgedStore forged(forgery);
  const auto store = Opened(&forged);
  ASSERT_NE(store, nullptr);
  ExpectDamage(store->Verify(), page, what);
}

// Forges one page alone.
Forgery OfPage(PageId page, const std::function<void(char*)>& change) {
  return {.page = [page, change](PageId id, char* bytes) {
    if (id == page) change(bytes);
  }};
}

Forgery OfHeader(const std::function<void(StoreHeader*)>& change) { return {.header = change}; }

Forgery OfPageHeader(PageId page, const std::function<void(PageHeader*)>& change) {
  return OfPage(page, [change](char* bytes) {
    PageHeader header = DecodePageHeader(bytes);
    change(&header);
    EncodePageHeader(header, bytes);
  });
}

Forgery OfPageBytes(PageId page, const std::string& bytes) {
  return OfPage(page, [bytes](char* to) { bytes.copy(to, bytes.size()); });
}

Forgery OfUsedPages(PageId page, const std::function<uint64_t(uint64_t)>& change) {
  return OfPage(
      page, [change](char* bytes) { StoreBitmapWord(bytes, 0, change(LoadBitmapWord(bytes, 0))); });
}

Forgery OfMapEntry(uint32_t index, const std::function<void(MapEntry*)>& change) {
  return OfPage(Store::kMapIndex, [index, change](char* bytes) {
    MapEntry entry = LoadMapEntry(bytes, index);
    change(&entry);
    StoreMapEntry(bytes, index, entry);
  });
}

Forgery OfSlice(const std::function<void(SliceRef*)>& change) {
  return OfPage(Store::kBuffered, [change](char* bytes) {
    SliceRef slice = SliceList(bytes).at(0);
    change(&slice);
    char* const at = bytes + PagePositionField(bytes);
    StorePageRef(at, slice.root);
    Store32(at + kPageRefSize, slice.pages);
    Store32(at + kPageRefSize + 4, slice.records);
  });
}

Forgery OfChild(PageId page, uint32_t index, PageId child) {
  return OfPage(page, [index, child](char* bytes) { Store32(ForgedChild(bytes, index), child); });
}

// Forges the reference to the large value that is the first record of a leaf.
Forgery OfExtent(PageId leaf, const std::function<void(ExtentRef*)>& change) {
  return OfPage(leaf, [change](char* bytes) {
    char* const at = const_cast<char*>(LeafView(bytes).cell(0).payload.data());
    ExtentRef extent = DecodeExtentRef(at);
    change(&extent);
    EncodeExtentRef(extent, at);
  });
}

uint64_t Bit(PageId page) { return uint64_t{1} << page; }

// Everything there is, by cursor in both directions.
absl::Status ReadAll(const PageStore& store) {
  absl::Status forward = ReadForward(store.GetView()).status();
  const absl::Status backward = ReadBackward(store.GetView()).status();
  EXPECT_EQ(forward.code(), backward.code()) << forward << ", " << backward;
  return forward;
}

absl::Status Get(const PageStore& store, std::string_view key) {
  std::string value;
  return store.GetView().Get(key, &value);
}

TEST(VerifyTest, NothingIsWrongWithoutAForgery) {
  ForgedStore forged;
  const auto store = Opened(&forged);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->Verify(), absl::OkStatus());
  const absl::StatusOr<Model> found = ReadForward(store->GetView());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->size(), Store::kKeys);
  EXPECT_EQ(ReadAll(*store), absl::OkStatus());
  for (const auto& [key, value] : *found) EXPECT_EQ(Get(*store, key), absl::OkStatus()) << key;
  EXPECT_TRUE(absl::IsNotFound(Get(*store, "apple")));
}

// --- what is reached ---

TEST(VerifyTest, APageThatIsReachedTwice) {
  constexpr char kTwice[] = "a page that is referred to twice";
  ExpectVerifyFinds(OfChild(Store::kBuffered, 1, Store::kFirstLeaf), Store::kFirstLeaf, kTwice);
  ExpectVerifyFinds(OfChild(Store::kRoot, 1, Store::kBuffered), Store::kBuffered, kTwice);
  ExpectVerifyFinds(OfChild(Store::kSliceRoot, 1, Store::kFirstSliceLeaf), Store::kFirstSliceLeaf,
                    kTwice);
  ExpectVerifyFinds(OfChild(Store::kInner, 0, Store::kFirstSliceLeaf), Store::kFirstSliceLeaf,
                    kTwice);
  ExpectVerifyFinds(OfSlice([](SliceRef* slice) { slice->root.id = Store::kRoot; }), Store::kRoot,
                    kTwice);
  // The second page of the value.
  ExpectVerifyFinds(OfExtent(Store::kSecondLeaf,
                             [](ExtentRef* extent) { extent->first = Store::kSliceValue - 1; }),
                    Store::kSliceValue, kTwice);
  ExpectVerifyFinds(OfMapEntry(0, [](MapEntry* entry) { entry->ref.id = Store::kFirstLeaf; }),
                    Store::kFirstLeaf, kTwice);
}

TEST(VerifyTest, AReferenceBehindTheEndOfTheFile) {
  constexpr char kBehind[] = "a reference to a page behind the end of the file";
  constexpr PageId kEnd = Store::kFilePages;
  ExpectVerifyFinds(OfChild(Store::kBuffered, 1, kEnd), kEnd, kBehind);
  ExpectVerifyFinds(OfChild(Store::kRoot, 0, UINT32_MAX), UINT32_MAX, kBehind);
  ExpectVerifyFinds(OfChild(Store::kSliceRoot, 0, kEnd), kEnd, kBehind);
  ExpectVerifyFinds(OfSlice([](SliceRef* slice) { slice->root.id = kEnd; }), kEnd, kBehind);
  ExpectVerifyFinds(OfMapEntry(0, [](MapEntry* entry) { entry->ref.id = kEnd; }), kEnd, kBehind);
}

TEST(VerifyTest, ALargeValueBehindTheEndOfTheFile) {
  // Its last page alone.
  ForgedStore forged(OfExtent(Store::kSecondLeaf,
                              [](ExtentRef* extent) { extent->first = Store::kFilePages - 1; }));
  const auto store = Opened(&forged);
  ASSERT_NE(store, nullptr);
  ExpectDamage(store->Verify(), Store::kFilePages - 1,
               "a reference to a page behind the end of the file");
  constexpr char kBehind[] = "a large value reaches behind the end of the file";
  ExpectDamage(Get(*store, "mango"), Store::kFilePages - 1, kBehind);
  ExpectDamage(ReadAll(*store), Store::kFilePages - 1, kBehind);
}

TEST(VerifyTest, APageThatIsUsedAndNotReached) {
  Forgery forgery = {.page = [](PageId id, char* page) {
    if (id == Store::kBitmap) StoreBitmapWord(page, 0, Bit(Store::kFree) * 2 - 1);
    if (id == Store::kMapIndex) {
      MapEntry entry = LoadMapEntry(page, 0);
      ++entry.used;
      StoreMapEntry(page, 0, entry);
    }
  }};
  forgery.header = [](StoreHeader* header) { ++header->used_pages; };
  ExpectVerifyFinds(forgery, Store::kFree, "a page that the map calls used and nothing refers to");
}

TEST(VerifyTest, AReachedPageThatTheMapCallsFree) {
  // As many pages as before, one of them another.
  ExpectVerifyFinds(OfUsedPages(Store::kBitmap,
                                [](uint64_t used) {
                                  return (used & ~Bit(Store::kThirdLeaf)) | Bit(Store::kFree);
                                }),
                    Store::kThirdLeaf, "a page in use that the map calls free");
}

// --- pages ---

TEST(VerifyTest, APageOfALaterGenerationThanItsHeader) {
  for (const PageId page : {Store::kFirstLeaf, Store::kSecondSliceLeaf, Store::kSliceRoot,
                            Store::kBuffered, Store::kInner, Store::kRoot}) {
    SCOPED_TRACE(page);
    ForgedStore same(
        OfPageHeader(page, [](PageHeader* header) { header->generation = kForgedGeneration; }));
    EXPECT_EQ(Opened(&same)->Verify(), absl::OkStatus());
    ExpectVerifyFinds(
        OfPageHeader(page, [](PageHeader* header) { header->generation = kForgedGeneration + 1; }),
        page, "a page of a later generation than the header's");
  }
}

TEST(VerifyTest, BytesBehindTheDataOfAPage) {
  for (const PageId page : {Store::kFirstLeaf, Store::kSecondSliceLeaf, Store::kSliceRoot,
                            Store::kBuffered, Store::kInner, Store::kRoot}) {
    SCOPED_TRACE(page);
    constexpr char kMustBeZero[] = "bytes of a node that must be 0";
    ExpectVerifyFinds(OfPage(page, [](char* bytes) { bytes[PageDataEndField(bytes)] = 1; }), page,
                      kMustBeZero);
    ExpectVerifyFinds(OfPage(page, [](char* bytes) { bytes[kForgedPageSize - 1] = 1; }), page,
                      kMustBeZero);
  }
}

TEST(VerifyTest, ALeafWithAPosition) {
  for (const PageId page : {Store::kFirstLeaf, Store::kFirstSliceLeaf}) {
    ExpectVerifyFinds(OfPageHeader(page, [](PageHeader* header) { header->position = 1; }), page,
                      "bytes of a node that must be 0");
  }
}

TEST(VerifyTest, ALeafOfAnotherKindThanItsParentSays) {
  constexpr char kOtherKind[] = "a node of another kind than its parent says";
  const auto with_kind = [](PageId page, PageKind kind) {
    return OfPage(page, [kind](char* bytes) { SetPageKind(kind, bytes); });
  };
  for (const auto& [page, kind] : {std::pair(PageId{Store::kFirstLeaf}, PageKind::kSliceLeaf),
                                   std::pair(PageId{Store::kThirdLeaf}, PageKind::kSliceLeaf),
                                   std::pair(PageId{Store::kSecondSliceLeaf}, PageKind::kLeaf)}) {
    SCOPED_TRACE(page);
    ForgedStore forged(with_kind(page, kind));
    const auto store = Opened(&forged);
    ASSERT_NE(store, nullptr);
    ExpectDamage(store->Verify(), page, kOtherKind);
    ExpectDamage(ReadAll(*store), page, kOtherKind);
  }
}

TEST(VerifyTest, TheRootOfASliceAsANodeOfTheTree) {
  ExpectVerifyFinds(OfPage(Store::kInner, [](char* page) { AddSliceFilter({7}, page); }),
                    Store::kInner, "the root of a slice as a node of the tree");
}

// --- keys and separators ---

TEST(VerifyTest, KeysOutsideOfTheSeparatorsAroundTheirLeaf) {
  constexpr char kOutside[] = "keys outside of the parent's separators";
  const auto is_found = [&](PageId page, PageKind kind, const std::vector<std::string>& keys) {
    SCOPED_TRACE(keys[0]);
    std::string bytes = ForgedLeaf(page, keys);
    SetPageKind(kind, bytes.data());
    ExpectVerifyFinds(OfPageBytes(page, bytes), page, kOutside);
  };
  is_found(Store::kFirstLeaf, PageKind::kLeaf, {"apple", "m"});
  is_found(Store::kFirstLeaf, PageKind::kLeaf, {"apple", "zucchini"});
  is_found(Store::kSecondLeaf, PageKind::kLeaf, {"lemon", "mango"});
  // The bounds stand two levels above.
  is_found(Store::kSecondLeaf, PageKind::kLeaf, {"mango", "t"});
  is_found(Store::kThirdLeaf, PageKind::kLeaf, {"squash", "tomato"});
  is_found(Store::kFirstSliceLeaf, PageKind::kSliceLeaf, {"apple", "melon"});
  is_found(Store::kSecondSliceLeaf, PageKind::kSliceLeaf, {"banana"});
  is_found(Store::kSecondSliceLeaf, PageKind::kSliceLeaf, {"melon", "tomato"});
}

// The children stay whole, so what is out of order is the separators alone.
Forgery WithInnerOf(const std::vector<std::string>& separators) {
  return OfPage(Store::kInner, [separators](char* page) {
    const PageRef leaf = InnerView(page).child(0);
    std::vector<PageRef> children(separators.size(), PageRef{Store::kFree, 0});
    children.push_back(leaf);
    const std::string bytes = ForgedInner({Store::kInner, 2}, 1, children, separators);
    bytes.copy(page, bytes.size());
  });
}

TEST(VerifyTest, SeparatorsOutsideOfThoseAbove) {
  constexpr char kSeparators[] = "separators out of order or out of bounds";
  // The node holds what is from "t" on.
  ExpectVerifyFinds(WithInnerOf({"s"}), Store::kInner, kSeparators);
  ExpectVerifyFinds(WithInnerOf({"t"}), Store::kInner, kSeparators);
  const auto buffered = [](const std::string& separator) {
    return OfPage(Store::kBuffered, [separator](char* page) {
      const std::string inner =
          ForgedInner({Store::kBuffered, 2}, 1,
                      {InnerView(page).child(0), InnerView(page).child(1)}, {separator});
      const SliceRef slice = SliceList(page).at(0);
      BuildBufferedNode(inner.data(), {slice}, Store::kBuffered, 2,
                        absl::MakeSpan(page, kForgedPageSize));
    });
  };
  ForgedStore control(buffered("m"));
  EXPECT_EQ(Opened(&control)->Verify(), absl::OkStatus());
  ExpectVerifyFinds(buffered("t"), Store::kBuffered, kSeparators);
  ExpectVerifyFinds(buffered("u"), Store::kBuffered, kSeparators);
}

// --- slices ---

TEST(VerifyTest, ASliceThatIsNotTheOneOfItsReference) {
  constexpr char kOther[] = "not the slice that its node refers to";
  Forgery forgery = OfSlice([](SliceRef* slice) { slice->pages = 4; });
  forgery.header = [](StoreHeader* header) { header->slice_pages = 4; };
  ExpectVerifyFinds(forgery, Store::kSliceRoot, kOther);
  ForgedStore forged(OfPage(Store::kSliceRoot, [](char* page) {
    const std::string inner = ForgedInner(
        {Store::kSliceRoot, 2}, 1, {InnerView(page).child(0), InnerView(page).child(1)}, {"m"});
    inner.copy(page, inner.size());
  }));
  const auto store = Opened(&forged);
  ASSERT_NE(store, nullptr);
  ExpectDamage(store->Verify(), Store::kSliceRoot, kOther);
  ExpectDamage(Get(*store, "melon"), Store::kSliceRoot, kOther);
}

TEST(VerifyTest, ASliceWithAnotherNumberOfRecords) {
  Forgery forgery = OfSlice([](SliceRef* slice) { slice->records = 4; });
  forgery.header = [](StoreHeader* header) { header->slice_records = 4; };
  ExpectVerifyFinds(forgery, Store::kSliceRoot,
                    "a slice with another number of records than its node says");
}

TEST(VerifyTest, AKeyThatTheFilterOfItsSliceDenies) {
  ExpectVerifyFinds(OfPage(Store::kSliceRoot,
                           [](char* page) { std::memset(page + PagePositionField(page), 0, 32); }),
                    Store::kFirstSliceLeaf, "a key that the filter of its slice denies");
}

// --- large values ---

TEST(VerifyTest, BytesBehindALargeValue) {
  const auto last_byte = [](char* page) { page[kForgedPageSize - 1] = 1; };
  constexpr char kMustBeZero[] = "bytes behind a large value that must be 0";
  ExpectVerifyFinds(OfPage(Store::kValue + 1, last_byte), Store::kValue, kMustBeZero);
  ExpectVerifyFinds(OfPage(Store::kSliceValue, last_byte), Store::kSliceValue, kMustBeZero);
}

TEST(VerifyTest, ALargeValueThatIsNotWhatItsChecksumSays) {
  constexpr char kChecksum[] = "a large value that does not match its checksum";
  for (const auto& [page, key] : {std::pair(PageId{Store::kValue}, "mango"),
                                  std::pair(PageId{Store::kSliceValue}, "melon")}) {
    SCOPED_TRACE(key);
    ForgedStore forged(OfPage(page, [](char* bytes) { bytes[100] = 'x'; }));
    const auto store = Opened(&forged);
    ASSERT_NE(store, nullptr);
    ExpectDamage(store->Verify(), page, kChecksum);
    ExpectDamage(Get(*store, key), page, kChecksum);
    ExpectDamage(ReadAll(*store), page, kChecksum);
  }
}

// --- counts ---

TEST(VerifyTest, CountsOfTheHeader) {
  constexpr PageId kSlot = kForgedGeneration % 2;
  const auto counts = [](const std::function<void(StoreHeader*)>& change, const std::string& what) {
    ExpectVerifyFinds(OfHeader(change), kSlot, what);
  };
  counts([](StoreHeader* header) { ++header->records; }, "the header counts 7 records of ");
  counts([](StoreHeader* header) { --header->key_bytes; }, "the header counts 6 records of ");
  counts([](StoreHeader* header) { ++header->value_bytes; }, "the header counts 6 records of ");
  counts([](StoreHeader* header) { ++header->slice_records; },
         "the header counts 4 records in 3 pages of slices, found 3 in 3");
  counts([](StoreHeader* header) { ++header->slice_pages; },
         "the header counts 3 records in 4 pages of slices, found 3 in 3");
}

TEST(VerifyTest, CountsOfTheMap) {
  constexpr char kCounts[] = "the map's counts do not add up to the header's";
  constexpr char kBitmap[] = "a bitmap whose count is not that of its reference";
  const auto one_more = [](MapEntry* entry) { ++entry->used; };
  ExpectVerifyFinds(OfMapEntry(0, one_more), Store::kMapIndex, kCounts);
  ExpectVerifyFinds(OfHeader([](StoreHeader* header) { ++header->used_pages; }), Store::kMapIndex,
                    kCounts);
  // Both say the same, and the bitmap has fewer.
  Forgery forgery = OfMapEntry(0, one_more);
  forgery.header = [](StoreHeader* header) { ++header->used_pages; };
  ExpectVerifyFinds(forgery, Store::kBitmap, kBitmap);
  ExpectVerifyFinds(OfUsedPages(Store::kBitmap, [](uint64_t used) { return used & ~Bit(2); }),
                    Store::kBitmap, kBitmap);
}

// --- the map ---

TEST(VerifyTest, APageThatIsNotTheMapsAtItsPlace) {
  constexpr char kOther[] = "expected another page of the map of free space";
  for (const PageId page : {Store::kBitmap, Store::kMapIndex}) {
    SCOPED_TRACE(page);
    const auto is_found = [&](const std::function<void(PageHeader*)>& change) {
      ExpectVerifyFinds(OfPageHeader(page, change), page, kOther);
    };
    is_found([](PageHeader* header) { header->kind = PageKind::kLeaf; });
    is_found([](PageHeader* header) { header->level = 2; });
    is_found([](PageHeader* header) { header->position = 1; });
  }
}

TEST(VerifyTest, AMapOfAnotherHeightThanTheFileAsks) {
  constexpr char kHeight[] = "the map of free space has not the height that the file's size asks";
  constexpr PageId kSlot = kForgedGeneration % 2;
  for (const uint32_t level : {0u, 2u}) {
    ExpectVerifyFinds(OfHeader([level](StoreHeader* header) { header->map_level = level; }), kSlot,
                      kHeight);
  }
  ExpectVerifyFinds(OfHeader([](StoreHeader* header) { header->map_root = {}; }), kSlot, kHeight);
}

TEST(VerifyTest, EntriesOfTheMapForPagesBehindTheEnd) {
  constexpr char kBehind[] = "map entries for pages behind the end of the file";
  ExpectVerifyFinds(OfMapEntry(2, [](MapEntry* entry) { entry->used = 1; }), Store::kMapIndex,
                    kBehind);
  ExpectVerifyFinds(
      OfMapEntry(MapFanout(kForgedPageSize) - 1, [](MapEntry* entry) { entry->ref.crc = 1; }),
      Store::kMapIndex, kBehind);
}

// --- header slots ---

class VerifyHeaderTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = Opened(&forged_);
    ASSERT_NE(store_, nullptr);
    ASSERT_EQ(store_->Verify(), absl::OkStatus());
    auto file = forged_.env()->OpenFile(kForgedPath, {.write = true});
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
  }
  // The store is open and has read its header.
  void Write(uint64_t offset, std::string_view bytes) {
    ASSERT_TRUE(file_->WriteAt(offset, bytes).ok());
  }
  std::string Sector(uint64_t offset) {
    std::string sector(kStoreHeaderSize, '\0');
    EXPECT_TRUE(file_->ReadAt(offset, sector.size(), sector.data()).ok());
    return sector;
  }

  ForgedStore forged_;
  std::unique_ptr<PageStore> store_;
  std::unique_ptr<File> file_;
};

TEST_F(VerifyHeaderTest, AFileThatHasBeenCutShort) {
  ASSERT_TRUE(file_->Truncate(uint64_t{Store::kFilePages - 1} * kForgedPageSize).ok());
  ExpectDamage(store_->Verify(), Store::kFilePages, "the file has been cut short");
}

TEST_F(VerifyHeaderTest, ADamagedCopy) {
  for (const PageId slot : {0u, 1u}) {
    for (const size_t copy : {size_t{0}, kHeaderCopyOffset}) {
      const uint64_t offset = uint64_t{slot} * kForgedPageSize + copy;
      const std::string whole = Sector(offset);
      std::string damaged = whole;
      damaged[60] = static_cast<char>(damaged[60] ^ 1);
      Write(offset, damaged);
      ExpectDamage(store_->Verify(), slot,
                   absl::StrCat("header copy at offset ", copy, " of the slot: header checksum"));
      Write(offset, whole);
    }
  }
}

TEST_F(VerifyHeaderTest, AHeaderThatBelongsElsewhere) {
  constexpr char kElsewhere[] = "a header that does not belong there";
  constexpr uint64_t kNewerSlot = kForgedGeneration % 2;
  const uint64_t newer_at = kNewerSlot * kForgedPageSize;
  const uint64_t older_at = (1 - kNewerSlot) * kForgedPageSize;
  const std::string newer = Sector(newer_at);
  const std::string older = Sector(older_at);
  const auto expect_found = [&](uint64_t offset, const std::string& sector,
                                const std::string& whole) {
    Write(offset, sector);
    ExpectDamage(store_->Verify(), static_cast<PageId>(offset / kForgedPageSize), kElsewhere);
    Write(offset, whole);
  };
  expect_found(newer_at, older, newer);
  StoreHeader header;
  std::string sector(kStoreHeaderSize, '\0');
  const auto changed = [&](const std::string& from, const std::function<void()>& change) {
    EXPECT_EQ(DecodeStoreHeader(from.data(), &header), absl::OkStatus());
    change();
    EncodeStoreHeader(header, sector.data());
    return sector;
  };
  // The same generation with other contents; a newer one; another store's.
  expect_found(newer_at, changed(newer, [&] { ++header.next_seq; }), newer);
  expect_found(newer_at, changed(newer, [&] { header.generation += 2; }), newer);
  expect_found(older_at, changed(older, [&] { header.generation += 2; }), older);
  expect_found(older_at, changed(older, [&] { header.store_id[0] = 1; }), older);
  EXPECT_EQ(store_->Verify(), absl::OkStatus());
}

TEST_F(VerifyHeaderTest, TheNewestHeaderIsGone) {
  constexpr uint64_t kNewerSlot = kForgedGeneration % 2;
  StoreHeader header;
  std::string sector = Sector(kNewerSlot * kForgedPageSize);
  ASSERT_EQ(DecodeStoreHeader(sector.data(), &header), absl::OkStatus());
  header.generation -= 2;
  EncodeStoreHeader(header, sector.data());
  for (const size_t copy : {size_t{0}, kHeaderCopyOffset}) {
    Write(kNewerSlot * kForgedPageSize + copy, sector);
  }
  ExpectDamage(store_->Verify(), kNewerSlot, "the newest header is gone");
}

TEST_F(VerifyHeaderTest, BytesBesideTheCopiesOfAHeader) {
  for (const PageId slot : {0u, 1u}) {
    for (const uint64_t at : {uint64_t{kStoreHeaderSize}, kHeaderCopyOffset + kStoreHeaderSize,
                              uint64_t{kForgedPageSize - 1}}) {
      const uint64_t offset = uint64_t{slot} * kForgedPageSize + at;
      Write(offset, "x");
      ExpectDamage(store_->Verify(), slot, "bytes of a header slot that must be 0");
      Write(offset, std::string_view("\0", 1));
    }
  }
}

}  // namespace
}  // namespace emdb
