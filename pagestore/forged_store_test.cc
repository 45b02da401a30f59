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
#include "pagestore/node_builder.h"
#include "pagestore/page_format.h"
#include "pagestore/page_salvager.h"
#include "pagestore/page_store.h"
#include "pagestore/slice.h"
#include "pagestore/store_testing.h"
#include "storage/fault_env.h"
#include "storage/forwarding_env.h"
#include "storage/status.h"

namespace emdb {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "dir/forged.emdb";
constexpr uint32_t kPageSize = kMinPageSize;

// Pages in the order they are added, from the first behind the header slots on.
class ForgedFile {
 public:
  PageId next_id() const { return static_cast<PageId>(bytes_.size() / kPageSize); }

  PageRef AddPage(std::string page) {
    const PageRef ref = SealPage(CrcSeed(StoreId{}), page.data(), kPageSize);
    bytes_ += page;
    return ref;
  }

  // Both slots, the second one newer. What `header` says of root and height, and of more.
  std::string WithHeader(StoreHeader header) const {
    header.page_size = kPageSize;
    std::string file = bytes_;
    for (PageId slot = 0; slot < kHeaderSlots; ++slot) {
      header.generation = 2 + slot;
      for (const size_t copy : {size_t{0}, kHeaderCopyOffset}) {
        EncodeStoreHeader(header, file.data() + size_t{slot} * kPageSize + copy);
      }
    }
    return file;
  }

 private:
  std::string bytes_ = std::string(kHeaderSlots * kPageSize, '\0');
};

std::string Leaf(PageId id) {
  NodeItems items(0);
  items.Add({"key", {}, CellKind::kInline, "value"});
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {id, 1}, page.data(), kPageSize);
  return page;
}

std::string InnerOver(PageRef child, PageId id) {
  char payload[kPageRefSize];
  StorePageRef(payload, child);
  NodeItems items(1);
  items.Add({"", {}, CellKind::kInline, {payload, kPageRefSize}});
  std::string page(kPageSize, '\0');
  items.Build(0, items.size(), {id, 1}, page.data(), kPageSize);
  return page;
}

std::string BufferedOver(const std::string& inner, PageRef slice, PageId id) {
  std::string page(kPageSize, '\0');
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

absl::StatusOr<std::unique_ptr<PageStore>> Open(Env* env) {
  PageStoreOptions options = SmallStoreOptions(env);
  options.read_only = true;
  options.store_id.reset();
  return PageStore::Open(kPath, options);
}

FaultEnv EnvWith(const std::string& file) {
  DiskImage image;
  image.files[kPath] = SparseBytes(file);
  return FaultEnv(image);
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
    FaultEnv env = EnvWith(StoreWhoseSliceIs(root));
    const auto store = Open(&env);
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
    absl::StatusOr<uint64_t> Size() const override { return uint64_t{UINT32_MAX} * kPageSize; }
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
  header.value_bytes = 5;
  header.file_pages = UINT32_MAX;
  FaultEnv written = EnvWith(file.WithHeader(header));
  HugeFilesEnv env(&written);
  const auto store = Open(&env);
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
  FaultEnv env = EnvWith(file.WithHeader(header));
  const uint64_t before = ResidentBytes();
  const auto salvager = PageSalvager::Open(&env, kPath, std::nullopt);
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
    FaultEnv env = EnvWith(file.WithHeader(header));
    const auto salvager = PageSalvager::Open(&env, kPath, std::nullopt);
    ASSERT_TRUE(salvager.ok()) << salvager.status();
    EXPECT_TRUE(KeysOf(salvager->get()).empty());
    EXPECT_EQ((*salvager)->lost().size(), 1u);
    EXPECT_EQ(*(*salvager)->ReadStrays([](auto, auto) { return absl::OkStatus(); }), 0u);
  }
}

}  // namespace
}  // namespace emdb
