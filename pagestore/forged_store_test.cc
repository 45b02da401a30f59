// Store files whose checksums are all right and whose contents no store has ever written: what is
// read of them is right or an error.

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pagestore/forged_file.h"
#include "pagestore/node.h"
#include "pagestore/page_format.h"
#include "pagestore/page_salvager.h"
#include "pagestore/page_store.h"
#include "pagestore/slice.h"
#include "pagestore/store_testing.h"
#include "storage/coding.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

using ::testing::HasSubstr;

std::string Leaf(PageId id) { return ForgedLeaf(id, {"key"}); }

std::string InnerOver(PageRef child, PageId id) { return ForgedInner({id, 1}, 1, {child}, {}); }

std::string BufferedOver(const std::string& inner, PageRef slice, PageId id) {
  std::string page(kForgedPageSize, '\0');
  BuildBufferedNode(inner.data(), {{slice, kSliceHeight, 1}}, id, 1,
                    absl::MakeSpan(page.data(), page.size()));
  return page;
}

std::string WithPosition(std::string page, uint32_t position) {
  PageHeader header = DecodePageHeader(page.data());
  header.position = position;
  EncodePageHeader(header, page.data());
  return page;
}

// A leaf, and a node above it whose only slice has `root` for a root.
std::string StoreWhoseSliceIs(std::string_view root_name) {
  ForgedFile file;
  const PageRef leaf = file.AddPage(Leaf(file.next_id()));
  std::string root = InnerOver(leaf, file.next_id());
  if (root_name == "buffered") {
    root = BufferedOver(root, leaf, file.next_id());
  } else if (root_name == "inner with a position behind the page") {
    root = WithPosition(std::move(root), 0xfffffff0);
  }
  const PageRef slice = file.AddPage(std::move(root));
  const PageId id = file.next_id();
  StoreHeader header;
  header.root = file.AddPage(BufferedOver(InnerOver(leaf, id), slice, id));
  header.height = 2;
  header.records = 1;
  header.file_pages = header.used_pages = file.next_id();
  header.slice_pages = kSliceHeight;
  header.slice_records = 1;
  return file.WithHeader(header);
}

std::vector<std::string> KeysOf(PageSalvager* salvager) {
  std::vector<std::string> keys;
  const absl::Status status =
      salvager->ReadTree([&](std::string_view key, std::optional<std::string_view>) {
        keys.emplace_back(key);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return keys;
}

TEST(ForgedStoreTest, APageThatIsNoRootOfASliceIsNotReadAsOne) {
  for (const char* root : {"inner", "buffered", "inner with a position behind the page"}) {
    SCOPED_TRACE(root);
    FaultEnv env = ForgedEnv(StoreWhoseSliceIs(root));
    const auto store = OpenForged(&env);
    ASSERT_TRUE(store.ok()) << store.status();
    const View view = (*store)->GetView();
    std::string value;
    EXPECT_TRUE(absl::IsDataLoss(view.Get("key", &value)));
    absl::Status status = absl::NotFoundError("");
    const std::string_view key = "key";
    view.MultiGet({&key, 1}, {&value, 1}, {&status, 1});
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_TRUE(absl::IsDataLoss((*store)->Verify()));
  }
}

// A root whose first child is a leaf, which stands below the second one, too.
ForgedStore StoreWithALeafAtTwoLevels() {
  auto leaf = std::make_shared<PageRef>();
  return ForgedStore({.page = [leaf](PageId id, char* page) {
    if (id == ForgedStore::kInner) *leaf = InnerView(page).child(0);
    if (id == ForgedStore::kRoot) StorePageRef(ForgedChild(page, 0), *leaf);
  }});
}

TEST(ForgedStoreTest, ALeafIsNotReadAsAnInnerPageWhetherOrNotItIsInMemory) {
  ForgedStore forged = StoreWithALeafAtTwoLevels();
  const auto store = OpenForged(forged.env());
  ASSERT_TRUE(store.ok()) << store.status();
  const View view = (*store)->GetView();
  std::string value;
  const auto get_apple = [&] { return std::string(view.Get("apple", &value).message()); };
  EXPECT_THAT(get_apple(), HasSubstr("expected a node of level 1"));
  ASSERT_TRUE(view.Get("tomato", &value).ok());
  constexpr char kOtherLevel[] = "a node of another level than its parent says";
  EXPECT_THAT(get_apple(), HasSubstr(kOtherLevel));
  absl::Status status = absl::NotFoundError("");
  const std::string_view key = "apple";
  view.MultiGet({&key, 1}, {&value, 1}, {&status, 1});
  EXPECT_THAT(std::string(status.message()), HasSubstr(kOtherLevel));
  EXPECT_THAT(std::string(ReadForward(view).status().message()), HasSubstr(kOtherLevel));
}

TEST(ForgedStoreTest, ALeafIsNotMergedAsAnInnerPage) {
  ForgedStore forged = StoreWithALeafAtTwoLevels();
  const auto store = OpenForged(forged.env(), /*read_only=*/false);
  ASSERT_TRUE(store.ok()) << store.status();
  std::string value;
  ASSERT_TRUE((*store)->GetView().Get("tomato", &value).ok());
  const absl::Status status = Apply(store->get(), 1, {{"apple", "green"}});
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a node of another level than its parent says"));
}

// What is wrong with the store, by Compact or else by Verify.
std::string CompactedMessage(const Forgery& forgery) {
  ForgedStore forged(forgery);
  const auto store = OpenForged(forged.env(), /*read_only=*/false);
  EXPECT_TRUE(store.ok()) << store.status();
  absl::Status status = (*store)->Compact();
  if (status.ok()) status = (*store)->Verify();
  return std::string(status.message());
}

TEST(ForgedStoreTest, KeysOutsideOfTheSeparatorsAreNotMerged) {
  const auto compact = [](PageId leaf, const std::vector<std::string>& keys) {
    return CompactedMessage({.page = [&](PageId id, char* page) {
      if (id == leaf) ForgedLeaf(leaf, keys).copy(page, kForgedPageSize);
    }});
  };
  EXPECT_EQ(compact(ForgedStore::kThirdLeaf, {"tamarind", "tomato"}), "");
  constexpr char kOutside[] = "keys of a node that are not within its parent's separators";
  EXPECT_THAT(compact(ForgedStore::kThirdLeaf, {"squash", "tomato"}), HasSubstr(kOutside));
  EXPECT_THAT(compact(ForgedStore::kFirstLeaf, {"apple", "m"}), HasSubstr(kOutside));
}

TEST(ForgedStoreTest, ALeafOfASliceIsNotMergedAsALeaf) {
  for (const PageId leaf : {ForgedStore::kSecondLeaf, ForgedStore::kThirdLeaf}) {
    const Forgery forgery = {.page = [leaf](PageId id, char* page) {
      if (id == leaf) SetPageKind(PageKind::kSliceLeaf, page);
    }};
    EXPECT_THAT(CompactedMessage(forgery),
                HasSubstr("a node of another kind than its parent says"));
  }
}

TEST(ForgedStoreTest, SlicesThatNoHeaderCountsAreNotDropped) {
  const Forgery forgery = {.header = [](StoreHeader* header) {
    header->slice_pages = 0;
    header->slice_records = 0;
  }};
  EXPECT_THAT(CompactedMessage(forgery), HasSubstr("a node with slices that no header counts"));
}

TEST(ForgedStoreTest, ASliceThatIsNotTheOneOfItsReferenceIsNotFolded) {
  constexpr char kOther[] = "not the slice that its node refers to";
  Forgery one_page_more = {.page = [](PageId id, char* page) {
    if (id != ForgedStore::kBuffered) return;
    Store32(page + PagePositionField(page) + kPageRefSize, 4);
  }};
  one_page_more.header = [](StoreHeader* header) { header->slice_pages = 4; };
  EXPECT_THAT(CompactedMessage(one_page_more), HasSubstr(kOther));
  const Forgery without_filter = {.page = [](PageId id, char* page) {
    if (id != ForgedStore::kSliceRoot) return;
    const std::vector<PageRef> leaves = {InnerView(page).child(0), InnerView(page).child(1)};
    ForgedInner({id, 2}, 1, leaves, {"m"}).copy(page, kForgedPageSize);
  }};
  EXPECT_THAT(CompactedMessage(without_filter), HasSubstr(kOther));
}

TEST(ForgedStoreTest, AMapThatCallsTheHeaderSlotsFreeIsNotWrittenAnew) {
  ForgedFile file;
  std::string bitmap(kForgedPageSize, '\0');
  EncodePageHeader({.id = file.next_id(), .kind = PageKind::kBitmap, .generation = 1},
                   bitmap.data());
  StoreHeader header;
  header.map_root = file.AddPage(std::move(bitmap));
  header.file_pages = file.next_id();
  header.used_pages = 0;
  FaultEnv env = ForgedEnv(file.WithHeader(header));
  const auto store = OpenForged(&env, /*read_only=*/false);
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Status status = Apply(store->get(), 1, {});
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("header slots that the map calls free"));
}

TEST(ForgedStoreTest, HeadersOfTwoStoresAreNotOne) {
  for (const bool other_id : {true, false}) {
    ForgedStore forged;
    StoreHeader header;
    header.page_size = kForgedPageSize;
    header.generation = kForgedGeneration - 1;
    if (other_id) header.store_id[15] = 1;
    std::string sector(kStoreHeaderSize, '\0');
    EncodeStoreHeader(header, sector.data());
    const auto file = forged.env()->OpenFile(kForgedPath, {.write = true});
    ASSERT_TRUE(file.ok()) << file.status();
    for (const size_t copy : {size_t{0}, kHeaderCopyOffset}) {
      ASSERT_TRUE((*file)->WriteAt(copy, sector).ok());
    }
    const absl::Status opened = OpenForged(forged.env()).status();
    EXPECT_EQ(absl::IsDataLoss(opened), other_id) << opened;
    if (other_id) {
      EXPECT_THAT(std::string(opened.message()), HasSubstr("it is another store's"));
    }
  }
}

// Says of its files that they are as long as the most pages are; only what was written is there.
class HugeFilesEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

  absl::StatusOr<std::unique_ptr<File>> OpenFile(std::string_view path,
                                                 const OpenOptions& options) override {
    EMDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, ForwardingEnv::OpenFile(path, options));
    return std::make_unique<HugeFile>(std::move(file));
  }

 private:
  class HugeFile : public ForwardingFile {
   public:
    using ForwardingFile::ForwardingFile;
    absl::StatusOr<uint64_t> Size() const override {
      return uint64_t{UINT32_MAX} * kForgedPageSize;
    }
  };
};

absl::Status VerifyHugeFileOver(PageId child) {
  ForgedFile file;
  const PageRef leaf = file.AddPage(Leaf(file.next_id()));
  StoreHeader header;
  header.root = file.AddPage(InnerOver({child, leaf.crc}, file.next_id()));
  header.height = 2;
  header.records = 1;
  header.key_bytes = 3;
  header.value_bytes = 3;
  header.file_pages = UINT32_MAX;
  FaultEnv written = ForgedEnv(file.WithHeader(header));
  HugeFilesEnv env(&written);
  const auto store = OpenForged(&env);
  return store.ok() ? (*store)->Verify() : store.status();
}

TEST(ForgedStoreTest, VerifyCountsAsManyPagesAsAFileMayHave) {
  const auto verify = [](PageId child) { return std::string(VerifyHugeFileOver(child).message()); };
  // All is well up to the map, which is not there.
  EXPECT_THAT(verify(kHeaderSlots), HasSubstr("the map of free space has not the height"));
  EXPECT_THAT(verify(UINT32_MAX - 1), HasSubstr("the file ends"));
  EXPECT_THAT(verify(UINT32_MAX), HasSubstr("behind the end of the file"));
}

uint64_t ResidentBytes() {
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  EXPECT_GT(resident_pages, 0u);
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(ForgedStoreTest, SalvageTakesMemoryForThePagesOfTheFileAndNotForThoseOfTheHeader) {
  // A node over a leaf, in a file that says it has as many pages as can be counted.
  ForgedFile file;
  const PageRef leaf = file.AddPage(Leaf(file.next_id()));
  StoreHeader header;
  header.root = file.AddPage(InnerOver(leaf, file.next_id()));
  header.height = 2;
  header.file_pages = UINT32_MAX;
  FaultEnv env = ForgedEnv(file.WithHeader(header));
  const uint64_t before = ResidentBytes();
  const auto salvager = PageSalvager::Open(&env, kForgedPath, std::nullopt);
  ASSERT_TRUE(salvager.ok()) << salvager.status();
  EXPECT_LT(ResidentBytes(), before + (uint64_t{64} << 20));
  EXPECT_EQ(KeysOf(salvager->get()), std::vector<std::string>{"key"});
  EXPECT_TRUE((*salvager)->lost().empty());
}

TEST(ForgedStoreTest, SalvageListsAReferenceBehindTheEndOfTheFileAsLost) {
  for (const PageId child : {4u, 5u, 100000u, UINT32_MAX - 1, UINT32_MAX}) {
    SCOPED_TRACE(child);
    ForgedFile file;
    StoreHeader header;
    file.AddPage(Leaf(file.next_id()));
    header.root = file.AddPage(InnerOver({child, 7}, file.next_id()));
    header.height = 2;
    header.file_pages = UINT32_MAX;
    FaultEnv env = ForgedEnv(file.WithHeader(header));
    const auto salvager = PageSalvager::Open(&env, kForgedPath, std::nullopt);
    ASSERT_TRUE(salvager.ok()) << salvager.status();
    EXPECT_TRUE(KeysOf(salvager->get()).empty());
    EXPECT_EQ((*salvager)->lost().size(), 1u);
    EXPECT_EQ(*(*salvager)->ReadStrays([](auto, auto) { return absl::OkStatus(); }), 0u);
  }
}

}  // namespace
}  // namespace emdb
