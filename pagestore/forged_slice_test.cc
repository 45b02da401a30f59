// Slices with right checksums and wrong keys, and pages of slices in place of the tree's, which no
// store has ever written: folding the former is an error, and makes no generation; the latter are
// errors to all who read.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "pagestore/node.h"
#include "pagestore/node_builder.h"
#include "pagestore/page_format.h"
#include "pagestore/page_store.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"

namespace emdb {
namespace {

constexpr char kPath[] = "dir/forged.emdb";
constexpr uint32_t kPageSize = kMinPageSize;

std::string Key(int i) { return absl::StrFormat("key%05d", i); }

// The file of a store with two nodes of level 1, each with a slice if there are scattered changes.
std::string StoreWith(const Changes& scattered) {
  FaultEnv env;
  auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  EXPECT_TRUE(store.ok()) << store.status();
  Changes load;
  for (int i = 0; i < 1000; ++i) load[Key(i)] = std::string(i == 0 ? 30 : 3000, 'v');
  EXPECT_EQ(Apply(store->get(), 1, load), absl::OkStatus());
  EXPECT_EQ(Apply(store->get(), 2, scattered), absl::OkStatus());
  EXPECT_EQ((*store)->stats().slice_records, scattered.size());
  EXPECT_EQ((*store)->stats().height, 3u);
  return env.FullImage().files.at(kPath).ToString();
}

std::string StoreWithSlices() {
  Changes scattered;
  for (int i = 3; i < 1000; i += 7) scattered[Key(i)] = "new";
  return StoreWith(scattered);
}

std::vector<PageId> SliceLeaves(const std::string& file) {
  std::vector<PageId> ids;
  for (PageId id = kHeaderSlots; id < file.size() / kPageSize; ++id) {
    const char* const page = file.data() + size_t{id} * kPageSize;
    if (PageIdField(page) == id && PageKindField(page) == PageKind::kSliceLeaf) ids.push_back(id);
  }
  return ids;
}

// Puts `page` in place of the one that is there, and has all that refers to that one, up to the
// header, refer to it.
void ReplacePage(PageId id, std::string page, std::string* file) {
  const StoreId store_id = *SmallStoreOptions(nullptr).store_id;
  std::string old_ref(kPageRefSize, '\0');
  StorePageRef(old_ref.data(), {id, PageCrcField(file->data() + size_t{id} * kPageSize)});
  const PageRef ref = SealPage(CrcSeed(store_id), page.data(), kPageSize);
  file->replace(size_t{id} * kPageSize, kPageSize, page);
  for (size_t at = file->find(old_ref); at != std::string::npos; at = file->find(old_ref, at + 1)) {
    const PageId parent = static_cast<PageId>(at / kPageSize);
    if (parent < kHeaderSlots) {
      char* const sector = file->data() + at / kHeaderCopyOffset * kHeaderCopyOffset;
      StoreHeader header;
      ASSERT_EQ(DecodeStoreHeader(sector, &header), absl::OkStatus());
      header.root = ref;
      EncodeStoreHeader(header, sector);
    } else {
      std::string changed = file->substr(size_t{parent} * kPageSize, kPageSize);
      StorePageRef(changed.data() + at % kPageSize, ref);
      ReplacePage(parent, std::move(changed), file);
    }
  }
}

DiskImage DiskWith(const std::string& file) {
  DiskImage image;
  image.files[kPath] = SparseBytes(file);
  return image;
}

// The leaf of a slice with another key in place of one of its own.
std::string WithKey(const char* page, uint32_t index, std::string_view key) {
  const LeafView leaf(page);
  NodeItems items(0);
  for (uint32_t i = 0; i < leaf.count(); ++i) {
    const LeafView::Cell cell = leaf.cell(i);
    const std::string own = leaf.key(i);
    items.Add({{}, i == index ? key : own, cell.kind, cell.payload});
  }
  std::string built(kPageSize, '\0');
  const PageHeader header = DecodePageHeader(page);
  items.Build(0, items.size(), {header.id, header.generation}, built.data(), kPageSize);
  SetPageKind(PageKind::kSliceLeaf, built.data());
  return built;
}

// The page with another kind.
std::string OfKind(PageKind kind, const char* page) {
  std::string changed(page, kPageSize);
  SetPageKind(kind, changed.data());
  return changed;
}

void ExpectThatFoldingFails(const std::string& file) {
  FaultEnv env(DiskWith(file));
  const auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  const PageStoreStats before = (*store)->stats();
  const absl::Status status = (*store)->Tidy().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("keys of a slice"), absl::string_view::npos) << status;
  EXPECT_EQ((*store)->stats().generation, before.generation);
  EXPECT_EQ((*store)->stats().live_pages, before.live_pages);
  EXPECT_TRUE(absl::IsDataLoss((*store)->Verify()));
}

TEST(ForgedSliceTest, AStoreThatIsNotForgedIsFolded) {
  std::string file = StoreWithSlices();
  for (const PageId id : SliceLeaves(file)) {
    ReplacePage(id, file.substr(size_t{id} * kPageSize, kPageSize), &file);
  }
  FaultEnv env(DiskWith(file));
  const auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_EQ((*store)->Verify(), absl::OkStatus());
  ASSERT_TRUE(*(*store)->Tidy());
  EXPECT_EQ((*store)->stats().slice_records, 0u);
  ASSERT_EQ((*store)->Verify(), absl::OkStatus());
}

TEST(ForgedSliceTest, KeysBelowTheNodeAreFound) {
  const std::string whole = StoreWithSlices();
  const LeafView before(whole.data() + size_t{SliceLeaves(whole).front()} * kPageSize);
  const PageId id = SliceLeaves(whole).back();
  // Also a key that ascends from the changes in front of it.
  for (const std::string& key : {std::string("a"), before.key(before.count() - 1) + "a"}) {
    SCOPED_TRACE(key);
    std::string file = whole;
    ReplacePage(id, WithKey(file.data() + size_t{id} * kPageSize, 0, key), &file);
    ExpectThatFoldingFails(file);
  }
}

TEST(ForgedSliceTest, PagesOfSlicesAreNotReadInPlaceOfTheTrees) {
  const std::string whole = StoreWith({});
  const std::string key = Key(0);
  // Of which the value stands in the page.
  PageId leaf_id = kHeaderSlots;
  const auto page = [&whole](PageId id) { return whole.data() + size_t{id} * kPageSize; };
  while (PageKindField(page(leaf_id)) != PageKind::kLeaf || LeafView(page(leaf_id)).key(0) != key) {
    ++leaf_id;
  }
  ASSERT_EQ(LeafView(page(leaf_id)).cell(0).kind, CellKind::kInline);
  std::string file = whole;
  ReplacePage(leaf_id, OfKind(PageKind::kSliceLeaf, page(leaf_id)), &file);
  FaultEnv env(DiskWith(file));
  const auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  const View view = (*store)->GetView();
  std::string value;
  EXPECT_TRUE(absl::IsDataLoss(view.Get(key, &value)));
  const std::array<std::string_view, 1> keys = {key};
  // The first time the page is not in memory yet.
  for (int round = 0; round < 2; ++round) {
    std::array<std::string, 1> values;
    std::array<absl::Status, 1> statuses = {absl::NotFoundError("")};
    view.MultiGet(keys, absl::MakeSpan(values), absl::MakeSpan(statuses));
    EXPECT_TRUE(absl::IsDataLoss(statuses[0])) << statuses[0];
  }
  const std::unique_ptr<Cursor> cursor = view.NewCursor();
  cursor->Seek(key);
  EXPECT_TRUE(absl::IsDataLoss(cursor->status())) << cursor->status();
}

TEST(ForgedSliceTest, LeavesOfTheTreeAreNotReadInPlaceOfASlices) {
  std::string file = StoreWithSlices();
  const PageId id = SliceLeaves(file).front();
  const char* const page = file.data() + size_t{id} * kPageSize;
  const std::string key = LeafView(page).key(0);
  ReplacePage(id, OfKind(PageKind::kLeaf, page), &file);
  FaultEnv env(DiskWith(file));
  const auto store = PageStore::Open(kPath, SmallStoreOptions(&env));
  ASSERT_TRUE(store.ok()) << store.status();
  std::string value;
  EXPECT_TRUE(absl::IsDataLoss((*store)->GetView().Get(key, &value)));
}

TEST(ForgedSliceTest, KeysAboveTheNodeAreFound) {
  std::string file = StoreWithSlices();
  const PageId id = SliceLeaves(file).front();
  const char* const page = file.data() + size_t{id} * kPageSize;
  ReplacePage(id, WithKey(page, LeafView(page).count() - 1, "z"), &file);
  ExpectThatFoldingFails(file);
}

}  // namespace
}  // namespace emdb
